import type { Page } from "playwright-core";
import t, { type Test } from "tap";
import type { UploadForm } from "../../src/issue/upload-form.js";
import { signPostForm } from "../../src/signing/post-form.js";
import { startEmulator, startGateway } from "../support/gateway.js";
import { BUCKET, OWN, REGION } from "../support/sign-world.js";
import { NEEDS_CHROMIUM, startChromium } from "./chromium.js";
import { startPages } from "./page-server.js";
import { FOREIGN_PAGE, OUR_PAGE } from "./stage.js";
import { visit } from "./visit.js";

const BEARER = "a secret of applications";
const FILE = { name: "图 1.png", mimeType: "image/png", buffer: Buffer.from("the picture's bytes") };

/** A browser, pages, and a gateway that signs forms and takes what is posted with them. */
async function setScene(t: Test) {
  process.env.OSSGATE_TEST_BEARER = BEARER;
  process.env.OSS_ACCESS_KEY_ID = OWN.accessKeyId;
  process.env.OSS_ACCESS_KEY_SECRET = OWN.accessKeySecret.reveal();
  const pages = await startPages(t);
  const emulator = await startEmulator(t);
  emulator.addCredentials(OWN);
  emulator.addBucket({ name: BUCKET, region: REGION, acl: "private" });
  const gateway = await startGateway(
    t,
    `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0", bearerSecret: { env: OSSGATE_TEST_BEARER } }
credentials: { app: { type: env } }
buckets: { media: { bucket: ${BUCKET}, region: ${REGION}, endpoint: "${emulator.url}" } }
routes:
  - { name: uploads, match: { hosts: [upload.test] }, bucket: media, methods: [POST], referer: { refererList: ["http://${OUR_PAGE}"] } }
`,
  );
  const browser = await startChromium(t);
  return { pages, emulator, gateway, browser, action: `http://upload.test:${gateway.port}/` };
}

type Scene = Awaited<ReturnType<typeof setScene>>;

/** Has the gateway make a form, as an application does for its page. */
async function policyFor({ gateway, action }: Scene, request: object): Promise<UploadForm> {
  const answer = await fetch(`${gateway.adminUrl}/policy`, {
    method: "POST",
    headers: { Authorization: `Bearer ${BEARER}`, "Content-Type": "application/json" },
    body: JSON.stringify({ url: action, credentials: "app", dir: "user/7/", contentType: "image/png", ...request }),
  });
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
  return (await answer.json()) as UploadForm;
}

/** A page with a form of these fields, as a template of an application would write it. */
function formPage(action: string, fields: Readonly<Record<string, string>>): string {
  const inputs = Object.entries(fields).map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`);
  return `<!doctype html><title>Form</title><link rel="icon" href="data:,">
<form action="${action}" method="post" enctype="multipart/form-data">${inputs.join("")}
<input type="file" name="file"><button>send</button></form>`;
}

/** Chooses the file, sends the form, and waits for the page that comes of it. */
async function submit(page: Page, url: string): Promise<{ readonly status: number; readonly text: string }> {
  await page.goto(url);
  await page.setInputFiles("input[type=file]", FILE);
  const posted = page.waitForResponse((response) => response.request().method() === "POST");
  await page.click("button");
  const answer = await posted;
  await page.waitForLoadState();
  const isRedirect = answer.status() >= 300 && answer.status() < 400;
  return { status: answer.status(), text: isRedirect ? "" : await answer.text() };
}

t.test("a page uploads with a form through the gateway", NEEDS_CHROMIUM, async (t) => {
  const scene = await setScene(t);
  const { pages, emulator, browser, action } = scene;
  const formUrl = `${pages.origin(OUR_PAGE)}/form`;

  for (const version of ["v4", "v1"] as const) {
    t.test(`with a ${version} form of POST /policy and status 201 it shows what was stored`, async (t) => {
      const { host, fields } = await policyFor(scene, { version, successActionStatus: 201 });
      pages.put("/form", formPage(host, fields));
      await visit(t, browser, async (page) => {
        const { status, text } = await submit(page, formUrl);
        t.equal(status, 201);
        t.match(text, `<Key>user/7/${FILE.name}</Key>`);
        t.equal(page.url(), action);
      });
      t.strictSame(emulator.readObject(BUCKET, `user/7/${FILE.name}`), FILE.buffer);
      emulator.deleteObject(BUCKET, `user/7/${FILE.name}`);
    });
  }

  t.test("success_action_redirect leads back to the application's own page", async (t) => {
    const redirect = `${pages.origin(OUR_PAGE)}/thanks?from=form`;
    pages.put("/thanks", "<!doctype html><title>Thanks</title>");
    const input = {
      ...{ bucket: BUCKET, key: "back.png", keyRule: { kind: "eq", value: "back.png" } as const },
      ...{ minBytes: 1, maxBytes: 1_000, contentType: null, expiresAtMs: Date.now() + 600_000 },
      fields: [["success_action_redirect", redirect]] as const,
    };
    const { fields } = signPostForm(input, OWN, { version: "v4", nowMs: Date.now(), region: REGION });
    pages.put("/form", formPage(action, fields));
    await visit(t, browser, async (page) => {
      t.equal((await submit(page, formUrl)).status, 303);
      t.equal(await page.title(), "Thanks");
      const { origin, pathname, searchParams } = new URL(page.url());
      t.equal(origin + pathname, `${pages.origin(OUR_PAGE)}/thanks`);
      t.match(Object.fromEntries(searchParams), { from: "form", bucket: BUCKET, key: "back.png" });
    });
    t.strictSame(emulator.readObject(BUCKET, "back.png"), FILE.buffer);
  });

  t.test("what the policy does not allow is refused, and shown as OSS says it", async (t) => {
    const { fields } = await policyFor(scene, { maxSize: 5 });
    pages.put("/form", formPage(action, fields));
    await visit(t, browser, async (page) => {
      const { status, text } = await submit(page, formUrl);
      t.equal(status, 400);
      t.match(text, "<Code>EntityTooLarge</Code>");
    });
    t.notOk(emulator.getObject(BUCKET, `user/7/${FILE.name}`));
  });

  t.test("a foreign page's form is refused by its Referer, signed as it may be", async (t) => {
    const { fields } = await policyFor(scene, {});
    pages.put("/form", formPage(action, fields));
    await visit(t, browser, async (page) => {
      const { status, text } = await submit(page, `${pages.origin(FOREIGN_PAGE)}/form`);
      t.equal(status, 403);
      t.match(text, "<EC>0003-00000503</EC>");
    });
    t.notOk(emulator.getObject(BUCKET, `user/7/${FILE.name}`));
  });
});
