import { always, headerBlock, jsonType, textType, type HeaderBlock } from '../answer.ts';
import type { Route } from '../router.ts';

const cached = { ...always, 'Cache-Control': 'public, max-age=3600' };

/** The front page is worth finding; the rest answers each caller differently. */
const robots = 'User-agent: *\nAllow: /$\nDisallow: /\n';

/** Answers that are the same for everybody. */
export function staticRoutes(openapi: string): readonly Route[] {
  return [
    fixed('/openapi.json', headerBlock(jsonType, cached), openapi),
    fixed('/robots.txt', headerBlock(textType, cached), robots),
  ];
}

function fixed(path: string, head: HeaderBlock, body: string): Route {
  const answer = { status: 200, head, body };
  return { path, handle: () => answer };
}
