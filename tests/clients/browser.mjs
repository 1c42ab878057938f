// A browser, for the pages that the tests open.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

/** The first known browser on PATH. */
function browserPath() {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const paths = names.flatMap((name) => process.env.PATH.split(delimiter).map((folder) => join(folder, name)));
  const found = paths.find(existsSync);
  assert.ok(found, `no browser on PATH: install one of ${names.join(', ')}`);
  return found;
}

/** Starts a browser with additional `args`; `test.after` stops it. */
export async function startBrowser(test, args = []) {
  const browser = await chromium.launch({
    executablePath: browserPath(),
    args: ['--disable-gpu', '--disable-quic', '--no-first-run', ...args],
  });
  test.after(() => browser.close());
  return browser;
}
