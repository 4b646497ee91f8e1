#!/usr/bin/env node
// What programs that open a browser start instead of one (`BROWSER=` this file): walks the sign-in without a screen and
// then asks for the redirect at the program's own loopback address.
//
// SALLYPORT_TEST_USERNAME, SALLYPORT_TEST_PASSWORD  who signs in
// SALLYPORT_TEST_BROWSER_LOG                        file to which the outcome is written: nobody reads our output
import { appendFileSync } from "node:fs";
import { signIn } from "../support/browser-walk.ts";

const { SALLYPORT_TEST_USERNAME, SALLYPORT_TEST_PASSWORD, SALLYPORT_TEST_BROWSER_LOG } = process.env;
const tell = (text) => appendFileSync(SALLYPORT_TEST_BROWSER_LOG, `${text}\n`);

try {
  const user = { username: SALLYPORT_TEST_USERNAME, password: SALLYPORT_TEST_PASSWORD };
  const location = await signIn(process.argv[2], user);
  const answer = await fetch(location);
  tell(`${new URL(location).searchParams.get("error") ?? "signed in"}: ${answer.status}`);
} catch (error) {
  tell(`failed: ${error}`);
  process.exitCode = 1;
}
