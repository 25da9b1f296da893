import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attribution } from '../../src/whoami/attribution.ts';
import { createPage, type PageFacts } from '../../src/web/page.ts';
import { startAppliance, type Appliance } from '../support/appliance.ts';
import { startBrowser, type Browser, type Tab, type View } from '../support/browser.ts';
import { cityFacts, countryFacts, factsOf, longFacts, loopbackFacts } from '../support/page-facts.ts';

const shown: { readonly [name: string]: PageFacts } = {
  city: cityFacts,
  country: countryFacts,
  'ipv6-longest': longFacts,
  'ipv6-short': factsOf('2620:fe::fe', { prefixLength: 48, asn: 19_281, asnOrg: 'Quad9' }),
  loopback: loopbackFacts,
  'ipv4-longest': factsOf('255.255.255.255', { bogon: 'broadcast', asked: true }),
  hostile: factsOf('192.0.2.1', {
    asnOrg: `"><img src=//evil.example/x onerror=alert(1)><script>alert(1)</script>${'W'.repeat(300)}`,
    city: '<style>*{display:none}</style>',
    host: "x'><script src=//evil.example></script>",
  }),
};
const screenshots = join(import.meta.dirname, '../../.build/screenshots');
const phone = { width: 320, height: 640, scheme: 'light' } as const;

/** WCAG 2.2 §1.4.3: the ratio of each text's colour to the ground it stands on, the worst first. */
const contrasts = `(() => {
  const rgb = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = rgb(colour).map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (rgb(colour)[3] !== 0) return colour;
    }
    return getComputedStyle(document.documentElement).backgroundColor;
  };
  return [...document.body.querySelectorAll('*')]
    .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && !['SCRIPT', 'STYLE'].includes(e.tagName))
    .map((e) => {
      const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
      return { text: e.textContent.slice(0, 40), ratio: (a + 0.05) / (b + 0.05) };
    })
    .sort((a, b) => a.ratio - b.ratio);
})()`;

let server: Server;
let browser: Browser;
let origin: string;

beforeAll(async () => {
  const page = createPage(attribution);
  server = createServer((request, response) => {
    const facts = shown[new URL(request.url ?? '/', 'http://x').pathname.slice(1)];
    if (facts === undefined) {
      response.writeHead(404).end();
      return;
    }
    const headers = {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': page.contentSecurityPolicy,
    };
    response.writeHead(200, headers).end(page.render(facts));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  browser = await startBrowser();
  mkdirSync(screenshots, { recursive: true });
});

afterAll(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
});

async function visit<Value>(name: string, view: View, look: (tab: Tab) => Promise<Value>): Promise<Value> {
  const tab = await browser.open(`${origin}/${name}`, view);
  try {
    return await look(tab);
  } finally {
    await tab.close();
  }
}

describe('the page in a browser', () => {
  describe.each(Object.keys(shown))('%s', (name) => {
    it.each([320, 768, 1280])(
      'fits a window %i pixels wide, light and dark, and complains about nothing',
      async (width) => {
        for (const scheme of ['light', 'dark'] as const) {
          await visit(name, { width, height: 800, scheme }, async (tab) => {
            writeFileSync(join(screenshots, `${name}-${width}-${scheme}.png`), await tab.screenshot(true));
            expect(await tab.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
            expect(await tab.evaluate('document.querySelector("h1").textContent')).toBe(
              shown[name]?.address.text,
            );
            expect(tab.complaints).toEqual([]);
            expect(tab.requested).toEqual([`${origin}/${name}`]);
          });
        }
      },
    );
  });

  it('sets every text off from its ground by 4.5 to 1 in both schemes', async () => {
    for (const scheme of ['light', 'dark'] as const) {
      for (const name of ['city', 'loopback']) {
        const ratios = await visit(name, { ...phone, scheme }, (tab) =>
          tab.evaluate<{ text: string; ratio: number }[]>(contrasts),
        );
        expect(ratios.length).toBeGreaterThan(15);
        expect(ratios.filter(({ ratio }) => ratio < 4.5)).toEqual([]);
      }
    }
  });

  it('runs no script and loads nothing that a value brought along', async () => {
    await visit('hostile', phone, async (tab) => {
      expect(await tab.evaluate('document.querySelectorAll("img, script[src], dd *").length')).toBe(0);
      expect(await tab.evaluate('document.scripts.length')).toBe(1);
      expect(await tab.evaluate('document.querySelector("dd").textContent')).toBe(shown['hostile']?.asnOrg);
    });
  });

  it('is whole without scripts and then shows no button that could do nothing', async () => {
    await visit('city', { ...phone, javaScript: false }, async (tab) => {
      expect(await tab.evaluate('document.querySelectorAll("dt").length')).toBe(11);
      const visible =
        '[...document.querySelectorAll("button")].filter((b) => b.checkVisibility()).map((b) => b.textContent)';
      expect(await tab.evaluate(visible)).toEqual(['Look up']);
    });
  });

  it('copies the address at a press of its button', async () => {
    await visit('city', phone, async (tab) => {
      const copied = await tab.evaluate(`new Promise((resolve) => {
        navigator.clipboard.writeText = async (text) => resolve(text);
        document.querySelector('button[data-copy]').click();
      })`);
      expect(copied).toBe('8.8.8.8');
    });
  });

  it('asks for what was typed, as a plain form', async () => {
    await visit('city', { ...phone, javaScript: true }, async (tab) => {
      await tab.evaluate(`document.querySelector('input').value = '2620:fe::fe'`);
      expect(await tab.evaluate('document.querySelector("form").checkValidity()')).toBe(true);
      const left = tab.evaluate('document.querySelector("form button").click()');
      await left;
      await expect.poll(() => tab.requested.at(-1)).toBe(`${origin}/?ip=2620%3Afe%3A%3Afe`);
    });
  });

  it.each(['9.9.9.9', ' ::1 ', '[2620:fe::fe]', 'fe80::1%eth0'])('lets “%s” be asked', async (typed) => {
    await visit('city', phone, async (tab) => {
      await tab.evaluate(`document.querySelector('input').value = ${JSON.stringify(typed)}`);
      expect(await tab.evaluate('document.querySelector("form").checkValidity()')).toBe(true);
    });
  });

  it.each(['', 'example.com', '1'])('asks for an address where “%s” was typed', async (typed) => {
    await visit('city', phone, async (tab) => {
      await tab.evaluate(`document.querySelector('input').value = ${JSON.stringify(typed)}`);
      expect(await tab.evaluate('document.querySelector("form").checkValidity()')).toBe(false);
    });
  });
});

describe('the page of a running server', () => {
  let appliance: Appliance;
  beforeAll(async () => {
    appliance = await startAppliance();
  });
  afterAll(() => appliance?.stop());

  it.each(['', '?ip=8.8.8.8', '?ip=2620:fe::fe', '?ip=10.0.0.1'])(
    'is allowed by its own headers, and what it links to and suggests answers: /%s',
    async (query) => {
      const tab = await browser.open(`${appliance.url}/${query}`, { ...phone, width: 1280 });
      const links = await tab.evaluate<string[]>('[...document.links].map((a) => a.href)');
      const commands = await tab.evaluate<string[]>(
        '[...document.querySelectorAll("code")].map((c) => c.textContent)',
      );
      expect(tab.complaints).toEqual([]);
      expect(tab.requested).toEqual([`${appliance.url}/${query}`]);
      await tab.close();

      const own = links.filter((link) => link.startsWith(appliance.url));
      expect(own.length).toBeGreaterThan(4);
      const suggested = commands.map((line) => `http://${line.replaceAll(/^curl '?|'$/g, '')}`);
      for (const address of [...own, ...suggested]) {
        const answer = await fetch(address, { headers: { 'User-Agent': 'curl/8.14.1' } });
        expect([address, answer.status]).toEqual([address, 200]);
        await answer.arrayBuffer();
      }
    },
  );

  it('shows what the built-in databases know', async () => {
    const tab = await browser.open(`${appliance.url}/?ip=8.8.8.8`, { ...phone, width: 1280, height: 900 });
    writeFileSync(join(screenshots, 'served.png'), await tab.screenshot(true));
    const shownFacts = await tab.evaluate<string[]>(
      '[...document.querySelectorAll("dd")].map((d) => d.textContent)',
    );
    expect(shownFacts).toEqual(
      expect.arrayContaining(['Google LLC', 'AS15169', '8.8.8.0/24', 'United States (US)']),
    );
    await tab.close();
  });
});
