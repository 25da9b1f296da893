import type { Page } from '../../web/page.ts';
import { headerBlock, heads, htmlType, negotiated } from '../answer.ts';
import { Problem } from '../problem.ts';
import type { Route } from '../router.ts';

/** `GET /`: the same answer as a page, as JSON or as the bare address. */
export function frontRoute(page: Page): Route {
  const htmlHead = headerBlock(htmlType, {
    ...negotiated,
    'Content-Security-Policy': page.contentSecurityPolicy,
    'Referrer-Policy': 'no-referrer',
  });
  return {
    path: '/',
    handle(request) {
      const wanted = request.wants();
      if (wanted === undefined) {
        throw new Problem(
          406,
          'not-acceptable',
          'This is here as text/html, application/json and text/plain.',
        );
      }
      const { record, whoamiBody } = request.subject();
      if (wanted === 'json') return { status: 200, head: heads.negotiatedJson, body: whoamiBody };
      if (wanted === 'text')
        return { status: 200, head: heads.negotiatedText, body: `${record.address.text}\n` };
      const { address, bogon, databases, geo } = record;
      const { prefixLength, place, operator } = geo;
      const asked = request.asksForAnother();
      const host = request.header('host');
      const facts = { address, bogon, databases, prefixLength, ...place, ...operator, asked, host };
      return { status: 200, head: htmlHead, body: page.render(facts), page: true };
    },
  };
}
