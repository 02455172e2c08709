import type { Page } from "playwright-core";
import t from "tap";
import { Secret } from "../../src/core/secret.js";
import { AdminListener } from "../../src/server/admin.js";
import type { AdminSource } from "../../src/server/admin-source.js";
import { History, SLOT_MS } from "../../src/telemetry/history.js";
import { Stats } from "../../src/telemetry/stats.js";
import { adminSource } from "../support/admin-source.js";
import { startGateway, type Teardown } from "../support/gateway.js";
import { answerTo, head } from "../support/raw-client.js";
import { BUCKET, startRelay } from "../support/relay-world.js";
import { NEEDS_CHROMIUM, startChromium } from "./chromium.js";
import { visit } from "./visit.js";

const ROUTES = `
  - { name: images, match: { hosts: [127.0.0.1] }, bucket: one, referer: { allowEmptyReferer: true, refererList: ["https://good.test"] } }
  - { name: videos, match: { hosts: [video.test] }, bucket: two }
`;

/** What a page says that went wrong in it. */
function complaints(page: Page): string[] {
  const heard: string[] = [];
  page.on("pageerror", (error) => heard.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") heard.push(message.text());
  });
  return heard;
}

async function open(page: Page, adminUrl: string): Promise<void> {
  await page.goto(`${adminUrl}/status`);
  await page.waitForSelector("#routes tbody tr");
}

/** Waits until an expression is true. Playwright's own way evaluates text in the page, which its policy forbids. */
async function until(page: Page, expression: string): Promise<void> {
  await page.evaluate(
    `new Promise((resolve) => { const look = () => (${expression} ? resolve() : requestAnimationFrame(look)); look(); })`,
  );
}

const textOf = async (page: Page, selector: string): Promise<string> => (await page.textContent(selector)) ?? "";

t.test("the status page", NEEDS_CHROMIUM, async (t) => {
  const browser = await startChromium(t);

  t.test("shows what passes through a gateway that runs, in words and numbers", async (t) => {
    const world = await startRelay(t, ROUTES);
    const { gateway, emulator } = world;
    emulator.putObject(BUCKET, "a.txt", "text");
    for (let i = 0; i < 20; i += 1) await (await fetch(`${gateway.url}/a.txt`)).text();
    await (await fetch(`${gateway.url}/a.txt`, { headers: { Referer: "https://evil.test/page" } })).text();
    await gateway.logged(({ error }) => error === "REFERER_DENIED");
    await visit(t, browser, async (page) => {
      const heard = complaints(page);
      await open(page, gateway.adminUrl);
      t.equal(await textOf(page, "#state"), "Ready");
      t.match(await textOf(page, "#routes"), /images.*127\.0\.0\.1 \/ → one/s);
      t.match(await textOf(page, "#events"), /REFERER_DENIED.*GET 127\.0\.0\.1/s);
      t.match(await textOf(page, "#buckets"), `two (otherbucket)`);
      t.match(await textOf(page, "#config"), "none since the start");
      t.match(await textOf(page, "#workers"), `pid ${process.pid}`);
      await until(page, 'document.querySelectorAll(".chart canvas").length === 4');
      await page.click('#routes button:text-is("videos")');
      await until(page, 'document.querySelector("#scope").textContent === "Route videos"');
      await until(page, 'document.querySelector("#routes button[aria-pressed=true]")?.textContent === "videos"');
      await page.click("#all");
      await until(page, 'document.querySelector("#scope").textContent === "All routes"');
      t.strictSame(heard, [], "nothing is refused by the policy, and nothing fails");
    });
  });

  t.test("asks nobody but the gateway, and the numbers follow", async (t) => {
    const { gateway, emulator } = await startRelay(t, ROUTES);
    emulator.putObject(BUCKET, "a.txt", "text");
    await visit(t, browser, async (page) => {
      const asked = new Set<string>();
      page.on("request", (request) => asked.add(new URL(request.url()).origin));
      await open(page, gateway.adminUrl);
      const load = setInterval(() => void fetch(`${gateway.url}/a.txt`).then((answer) => answer.text()), 50);
      try {
        await until(page, 'parseFloat(document.querySelector("#tiles dd span").textContent) > 0');
      } finally {
        clearInterval(load);
      }
      t.strictSame(
        [...asked].filter((origin) => origin !== "null"),
        [gateway.adminUrl],
      );
    });
  });

  t.test("says when the gateway is gone, and goes on when it is back", async (t) => {
    const first = await startAdmin(t, {});
    await visit(t, browser, async (page) => {
      await open(page, first.url);
      first.admin.close();
      await page.waitForSelector("#lost:not([hidden])");
      t.match(await textOf(page, "#lost"), "Connection lost");
      t.equal(await textOf(page, "#state"), "Connection lost");
      const top = await page.evaluate(
        '(scrollTo(0, document.body.scrollHeight), document.querySelector("#lost").getBoundingClientRect().top)',
      );
      t.ok((top as number) >= 0, `seen from the end of the page too, at ${top}`);
      const second = new AdminListener({ host: "127.0.0.1", port: first.port }, first.source);
      await second.listen();
      t.teardown(() => second.close());
      await page.waitForSelector("#lost[hidden]", { state: "attached" });
      t.equal(await textOf(page, "#state"), "Ready");
    });
  });

  t.test("tells of what needs somebody: not ready, a failed reload, few workers, days that run out", async (t) => {
    const nowMs = Date.now();
    const problem = 'gateway.yaml:4:9: routes[0].bucket: expected the alias of a bucket, found "x".';
    const { url } = await startAdmin(t, {
      state: {
        generation: 3,
        workersWanted: 2,
        workersServing: 1,
        isDraining: false,
        lastReload: { ok: false, atMs: nowMs - 60_000, generation: 3, problems: [problem], warnings: [] },
        configLoadedAtMs: nowMs - 3_600_000,
      },
      collect: async () => [
        {
          ...REPORT,
          problems: ["bucket media: no address is known for oss.test"],
          upstreams: [
            {
              id: "media",
              addresses: 2,
              setAside: 1,
              inFlight: 3,
              clockSkewMs: null,
              pools: [
                { address: "192.0.2.1", isSetAside: false, inFlight: 3 },
                { address: "192.0.2.2", isSetAside: true, inFlight: 0 },
              ],
            },
          ],
          credentials: [{ name: "reader", isValid: false, expiresAtMs: null }],
          certificates: [
            { listener: "web", names: ["a.test"], file: "/x", notAfterMs: nowMs + 2.5 * 86_400_000, problem: null },
            { listener: "two", names: ["a.test"], file: "/x", notAfterMs: nowMs + 2.5 * 86_400_000, problem: null },
            {
              listener: "web",
              names: ["b.test", "c.test", "d.test"],
              file: "/y",
              notAfterMs: nowMs - 1,
              problem: null,
            },
            {
              listener: "web",
              names: ["e.test"],
              file: "/z",
              notAfterMs: nowMs + 9e9,
              problem: "/z is no certificate",
            },
          ],
        },
      ],
    });
    await visit(t, browser, async (page) => {
      await open(page, url);
      t.equal(await textOf(page, "#state"), "Not ready");
      t.match(await textOf(page, "#problems"), "no address is known for oss.test");
      t.match(await textOf(page, "#config"), "failed: nothing was changed");
      t.match(await textOf(page, "#config pre"), problem);
      t.match(await textOf(page, "#config"), "1 of 2 serve");
      t.match(await textOf(page, "#buckets"), "1 of 2 set aside");
      t.match(await textOf(page, "#buckets"), "192.0.2.2 set aside");
      t.match(await textOf(page, "#keys"), /reader.*not valid/s);
      t.match(await textOf(page, "#keys"), /a\.test2 days left/);
      t.match(await textOf(page, "#keys"), /certificate of web, two, until .* · \/x/, "a certificate has one row");
      t.match(await textOf(page, "#keys"), /b\.test, c\.test and 1 moreexpired/);
      t.equal(await page.locator("#keys li").count(), 4);
      t.equal(await page.locator("#keys .bad").count(), 3);
      const attention = await page.locator("#attention li").allTextContents();
      t.strictSame(
        attention.map((text) => text.replace(/\d+ s ago/, "0 s ago")),
        [
          "bucket media: no address is known for oss.test ",
          "Credentials reader are not valid. Credentials and certificates",
          "Certificate a.test: 2 days left. Credentials and certificates",
          "Certificate b.test, c.test and 1 more: expired 0 s ago. Credentials and certificates",
          "The last reload failed; the configuration of before is served on. Configuration",
          "1 of 2 workers serve. Processes",
          "Bucket media: 1 of 2 addresses set aside: 192.0.2.2. Buckets",
          "Certificate e.test: 104 days left. Credentials and certificates",
          "Certificate e.test: what is on the disk cannot be used. Credentials and certificates",
        ],
        "the worst comes first",
      );
    });
  });

  t.test("is quiet where nothing needs anybody, and tells which route fails where one does", async (t) => {
    const { url, stats, history } = await startAdmin(t, {});
    const ended = { signature: "anonymous", method: "GET", bucket: "media", errorCode: null } as const;
    for (let second = 1; second <= 60; second += 1) {
      stats.route("images").countRequest({ ...ended, status: 200 });
      history.tick(second * 1_000);
    }
    await visit(t, browser, async (page) => {
      await open(page, url);
      t.notOk(await page.isVisible("#problems"));
      for (let second = 61; second <= 90; second += 1) {
        stats.route("images").countRequest({ ...ended, status: 502, errorCode: "UPSTREAM_REFUSED" });
        history.tick(second * 1_000);
      }
      await page.waitForSelector("#problems:not([hidden])");
      t.match(await textOf(page, "#attention"), /50 % of all answers fail, most on route images, for 30 s\./);
    });
  });

  t.test("points that stand alone are seen", async (t) => {
    const { url, stats, history } = await startAdmin(t, {});
    for (let second = 1; second <= 900; second += 1) {
      if (second % 100 === 0) {
        const ended = { signature: "anonymous", method: "GET", status: 200, bucket: "media", errorCode: null } as const;
        stats.route("images").countRequest(ended);
        stats.route("images").durations.observe(40);
      }
      history.tick(second * 1_000);
    }
    await visit(t, browser, async (page) => {
      await open(page, url);
      await until(page, 'document.querySelectorAll(".chart canvas").length === 4');
      const seen = await coloredPixels(page, "#c-latency", "--s3");
      t.ok(seen >= 36, `a dot for each, in ${seen} pixels`);
    });
  });

  t.test("many routes can be searched and sorted", async (t) => {
    const hosts = Array.from({ length: 20 }, (_, i) => `tenant-${i}`);
    const routes = hosts.map((name) => `{ name: ${name}, match: { hosts: [${name}.test] }, bucket: one }`);
    const { gateway, emulator } = await startRelay(t, routes.map((route) => `  - ${route}\n`).join(""));
    emulator.putObject(BUCKET, "a", "text");
    await visit(t, browser, async (page) => {
      await open(page, gateway.adminUrl);
      t.equal(await page.locator("#routes tbody tr").count(), 21);
      await page.fill("#filter", "tenant-1");
      t.equal(await page.locator("#routes tbody tr").count(), 11);
      await page.fill("#filter", "none of these");
      t.ok(await page.isVisible("#no-routes"));
      await page.fill("#filter", "");
      await page.selectOption("#order", "requests");
      await page.focus('#routes button:text-is("tenant-17")');
      for (let i = 0; i < 5; i += 1) await answerTo(gateway.port, head("GET", "/a", ["Host", "tenant-17.test"]));
      await until(page, 'document.querySelector("#routes tbody button").textContent === "tenant-17"');
      t.equal(
        await page.evaluate("document.activeElement.textContent"),
        "tenant-17",
        "a row that moves keeps the focus",
      );
      t.notOk(await page.isVisible("#left-out"));
    });
  });

  t.test("what needs somebody stays one line, and its link the same, while its numbers change", async (t) => {
    const { url, stats, history } = await startAdmin(t, {});
    const fail = (slot: number): void => {
      const ended = { signature: "anonymous", method: "GET", status: 502, bucket: "media" } as const;
      for (let i = 0; i < 20; i += 1) {
        stats.route("images").countRequest({ ...ended, errorCode: "UPSTREAM_REFUSED" });
        stats.route("images").durations.observe(7);
      }
      history.tick(slot * SLOT_MS);
    };
    for (let slot = 1; slot <= 10; slot += 1) fail(slot);
    await visit(t, browser, async (page) => {
      await open(page, url);
      const line = 'document.querySelector("#attention li").textContent';
      await until(page, `/fail/.test(${line})`);
      await page.focus("#attention a");
      const before = JSON.stringify(await page.evaluate(line));
      for (let slot = 11; slot <= 16; slot += 1) fail(slot);
      await until(page, `${line} !== ${before}`);
      t.equal(await page.evaluate("document.activeElement.textContent"), "Last errors");
    });
  });

  t.test("routes beyond those that are listed are told of", async (t) => {
    const names = Array.from({ length: 203 }, (_, i) => `tenant-${i}`);
    const routes = names.map((name) => `  - { name: ${name}, match: { hosts: [${name}.test] }, bucket: one }\n`);
    const { gateway } = await startRelay(t, routes.join(""));
    await visit(t, browser, async (page) => {
      await open(page, gateway.adminUrl);
      await page.fill("#filter", "tenant-202");
      t.match(await textOf(page, "#left-out"), "3 more of the configuration are not listed here");
      t.ok(await page.isVisible("#left-out"));
    });
  });

  t.test("what a client wrote stays text", async (t) => {
    const { gateway } = await startRelay(t, ROUTES);
    const attacks = [
      "<script>window.hit=1</script>",
      "<img/src=x/onerror=window.hit=1>",
      '"><svg/onload=window.hit=1>',
    ];
    // Each is refused in its own way, and so each has a line of its own.
    const ways = [
      { method: "GET", host: "nowhere.test" },
      { method: "GET", host: "127.0.0.1" },
      { method: "DELETE", host: "127.0.0.1" },
    ];
    for (const [i, attack] of attacks.entries()) {
      const { method, host } = ways[i] as (typeof ways)[number];
      const headers = ["Host", host, "Referer", attack, "User-Agent", attack];
      await answerTo(gateway.port, head(method, `/${attack}?x=${attack}`, headers));
    }
    await answerTo(gateway.port, head("GET", "/", ["Host", attacks.join("")]));
    await gateway.logged(({ error }) => error === "INVALID_HOST");
    const events = JSON.stringify(gateway.gateway.stats.recent.latest(50));
    for (const attack of attacks) t.ok(events.includes(JSON.stringify(attack).slice(1, -1)), "it came as it was sent");
    await visit(t, browser, async (page) => {
      const heard = complaints(page);
      const pages: string[] = [];
      page.on("request", (request) => pages.push(request.url()));
      await open(page, gateway.adminUrl);
      const shown = await textOf(page, "#events");
      for (const attack of attacks) t.ok(shown.includes(`/${attack}?x=${attack}`), "it is read as it was sent");
      t.equal(await page.evaluate("window.hit"), undefined);
      t.equal(await page.locator("#events img, #events script, #events svg").count(), 0);
      t.strictSame(heard, []);
      t.ok(pages.every((url) => url.startsWith(`${gateway.adminUrl}/status`) || url.startsWith("data:")));
    });
  });

  t.test("a person opens it with the secret as password where others reach it", async (t) => {
    const password = "a secret for reading";
    const { url } = await startAdmin(
      t,
      { secrets: { bearer: new Secret("another"), reader: new Secret(password) } },
      "0.0.0.0",
    );
    const right = { httpCredentials: { username: "anybody", password } };
    await visit(
      t,
      browser,
      async (page) => {
        await open(page, url);
        t.equal(await textOf(page, "#state"), "Ready");
      },
      right,
    );
    const wrong = { httpCredentials: { username: "anybody", password: "wrong" } };
    await visit(
      t,
      browser,
      async (page) => {
        t.equal((await page.goto(`${url}/status`))?.status(), 401);
      },
      wrong,
    );
  });

  t.test("a page elsewhere, by whatever name, can neither read it nor reload with it", async (t) => {
    const calls: string[] = [];
    const { url, port } = await startAdmin(t, {
      reload: async () => {
        calls.push("reload");
        throw new Error("no");
      },
    });
    const other = await startAdmin(t, {});
    for (const place of [other.url, `http://rebound.test:${port}`]) {
      await visit(t, browser, async (page) => {
        await page.goto(`${place}/healthz`);
        const script = `Promise.all(["/status.json", "/config", "/reload"].map((path) =>
          fetch("${url}" + path, { method: path === "/reload" ? "POST" : "GET", mode: "no-cors" }).then((a) => a.type, String)))`;
        const outcome = (await page.evaluate(script)) as string[];
        t.ok(
          outcome.every((type) => type === "opaque" || type === "TypeError: Failed to fetch"),
          String(outcome),
        );
      });
    }
    t.strictSame(calls, []);
  });

  for (const [name, viewport, colorScheme] of [
    ["a phone", { width: 360, height: 740 }, "dark"],
    ["a tablet", { width: 768, height: 1024 }, "light"],
    ["a desk by day", { width: 1440, height: 900 }, "light"],
    ["a desk by night", { width: 1440, height: 900 }, "dark"],
  ] as const) {
    t.test(`it fits ${name}, stands still while numbers change, and can be read`, async (t) => {
      const { url, stats, history } = await startAdmin(t, {});
      fillWithTraffic(stats, history);
      await visit(
        t,
        browser,
        async (page) => {
          await open(page, url);
          t.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "no sideways scrolling");
          await page.evaluate(
            'for (const value of document.querySelectorAll("#c-latency .u-value")) value.textContent = "99.9 ms"',
          );
          t.ok(
            await page.evaluate(
              '[...document.querySelectorAll(".chart")].every((chart) => [...chart.querySelectorAll(".u-series")].every((one) => one.getBoundingClientRect().right <= chart.getBoundingClientRect().right))',
            ),
            "no legend is cut off",
          );
          t.ok((await contrasts(page)) >= 4.5, `contrast in ${colorScheme}`);
          const placeOf = () => page.evaluate('document.querySelector("#h-routes").getBoundingClientRect().top');
          const before = await placeOf();
          await page.waitForResponse(/status\.json/);
          await page.waitForResponse(/status\.json/);
          t.equal(await placeOf(), before, "no layout shift");
        },
        { viewport, colorScheme },
      );
    });
  }

  t.test("everything is reached by keyboard and has a name", async (t) => {
    const { url } = await startAdmin(t, {});
    await visit(t, browser, async (page) => {
      await open(page, url);
      const names = (await page.evaluate(
        '[...document.querySelectorAll("section")].map((s) => s.ariaLabel ?? document.getElementById(s.getAttribute("aria-labelledby"))?.textContent)',
      )) as (string | undefined)[];
      t.ok(
        names.every((name) => (name ?? "") !== ""),
        String(names),
      );
      await page.keyboard.press("Tab");
      await page.keyboard.press("Tab");
      await page.focus("#routes button");
      await page.keyboard.press("Enter");
      await page.waitForSelector("#all:not([hidden])");
      t.equal(await page.getAttribute("#c-requests", "role"), "img");
      t.match(await page.getAttribute("#c-requests", "aria-label"), /now: Requests/);
    });
  });
});

const REPORT = {
  worker: 1,
  pid: 4711,
  generation: 1,
  upstreams: [],
  credentials: [],
  certificates: [],
  sharedUp: null,
  problems: [],
  eventLoopLagMs: { p99: 1, max: 2 },
  rssBytes: 1e8,
  heapUsedBytes: 1e7,
  cpuSeconds: 1,
} as const;

/** An admin listener whose gateway does what the test says. */
async function startAdmin(t: Teardown, own: Partial<AdminSource>, host = "127.0.0.1") {
  const stats = own.stats ?? new Stats();
  const history = new History(stats, 0, Date.now() - 900_000);
  const { gateway } = await startGateway(
    t,
    `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets: { media: { bucket: examplebucket, region: cn-beijing, endpoint: "http://127.0.0.1:1" } }
routes: [{ name: images, match: { hosts: [img.example.com] }, bucket: media }]
`,
  );
  const source = adminSource({ stats, history, config: () => gateway.config, collect: async () => [REPORT], ...own });
  const admin = new AdminListener({ host, port: 0 }, source);
  const { port } = await admin.listen();
  t.teardown(() => admin.close());
  return { admin, source, stats, history, port, url: `http://127.0.0.1:${port}` };
}

function fillWithTraffic(stats: Stats, history: History): void {
  for (let slot = 1; slot <= 180; slot += 1) {
    for (let i = 0; i < slot % 17; i += 1) {
      const ended = { signature: "anonymous", method: "GET", status: 200, bucket: "media", errorCode: null } as const;
      stats.route("images").countRequest(ended);
      stats.route("images").durations.observe(7 * slot);
    }
    history.tick(slot * SLOT_MS);
  }
}

/** How many pixels of a chart have the color of a variable, or nearly. */
function coloredPixels(page: Page, chart: string, variable: string): Promise<number> {
  return page.evaluate(`(() => {
    const paint = document.createElement("canvas").getContext("2d");
    paint.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("${variable}");
    paint.fillRect(0, 0, 1, 1);
    const wanted = paint.getImageData(0, 0, 1, 1).data;
    const canvas = document.querySelector("${chart} canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) if ([0, 1, 2, 3].every((at) => Math.abs(data[i + at] - wanted[at]) < 48)) count += 1;
    return count;
  })()`);
}

/** The least contrast of any text to what it stands on (WCAG 2.2 §1.4.3). */
function contrasts(page: Page): Promise<number> {
  return page.evaluate(`(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const paint = (colors) => {
      for (const color of colors) { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); }
      return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const luminance = (rgb) => rgb
      .map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    let least = 21;
    for (const element of document.querySelectorAll("body *")) {
      const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "");
      if (!hasText || element.getClientRects().length === 0) continue;
      const layers = [];
      for (let at = element; at !== null; at = at.parentElement) layers.unshift(getComputedStyle(at).backgroundColor);
      const [a, b] = [luminance(paint(layers)), luminance(paint([...layers, getComputedStyle(element).color]))];
      least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
    }
    return least;
  })()`);
}
