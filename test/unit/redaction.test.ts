import { describe, expect, it } from 'vitest';
import { withoutSecrets } from '../../src/config/redaction.ts';

const left = (texts: Record<string, string>) =>
  Object.fromEntries(withoutSecrets(new Map(Object.entries(texts))));

describe('the files of a secrets folder without their secrets', () => {
  it('keep what is no secret, quoted where it has to be, and no comment', () => {
    const app = `# the old one: pa55word\nexport APP_HTTP_PORT = "80"   # and pa55word\n\nBACKUP_SCHEDULE='Mon *-*-* 03:00'\r\n`;
    expect(left({ 'app.env': app })).toEqual({
      'app.env': "APP_HTTP_PORT=80\nBACKUP_SCHEDULE='Mon *-*-* 03:00'\n",
    });
  });

  it('have no secret, no unknown key, and no line that cannot be read', () => {
    const texts = {
      'app.env': 'APP_ALERT_COMMAND=curl a\nBACKUP_COPY_COMMAND=rclone b\nAPP_LOG_LEVL=c\nd\n',
      'postgres.env': 'POSTGRES_HOST=db\nPOSTGRES_PASSWORD="e\nPOSTGRES_PASWORD=f\n',
      'redis.password.conf': 'requirepass "g"\n',
      'geoip.key': '1:hhhhhhhh\n',
      'ca.pem': 'i',
    };
    expect(left(texts)).toEqual({ 'postgres.env': 'POSTGRES_HOST=db\n' });
  });

  it('have no value that repeats a secret of another file', () => {
    const texts = {
      'app.env': 'GEOIP_URL=https://mirror.example/s3cret/x\nAPP_HTTP_PORT=80\n',
      'redis.env': 'REDIS_PASS=s3cret\n',
    };
    expect(left(texts)).toEqual({ 'app.env': 'APP_HTTP_PORT=80\n' });
  });
});
