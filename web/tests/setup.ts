/** Before each test: an empty tab; after it: the page taken away, so that tests are strangers. */
import { cleanup, configure } from "@testing-library/react";
import { afterEach, beforeEach } from "vitest";

// A busy machine is no fault of the page.
configure({ asyncUtilTimeout: 5_000 });

beforeEach(() => {
  sessionStorage.clear();
  window.history.replaceState(null, "", "/");
  document.documentElement.lang = "zh-CN";
  document.documentElement.hidden = false;
});

afterEach(cleanup);
