import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import { describeInBrowser } from "../support/browser.ts";
import type { TestClient } from "../support/client.ts";
import { DashboardPage, startWithFourUsers } from "../support/dashboard.ts";
import type { TestGateway } from "../support/gateway.ts";
import { whyNoTool } from "../support/tools.ts";
import { unless } from "../support/unless.ts";

describeInBrowser("the dashboard's filter", (browser) => {
  let gateway: TestGateway;
  let client: TestClient;
  const open = (fragment?: string) => DashboardPage.open(browser, gateway, fragment);

  beforeEach(async () => {
    ({ gateway, client } = await startWithFourUsers());
  });
  afterEach(() => gateway.stop());

  it("has a control for every field of the filter, and the address contains the filter", async () => {
    const dashboard = await open();
    const { page } = dashboard;
    const expectView = async (fragment: string, ...users: string[]) => {
      await dashboard.expectUsers(...users);
      // Some filters have the same users.
      await expect.poll(() => dashboard.fragment()).toBe(fragment);
    };
    await expectView("", "alice", "bob", "carol");
    await dashboard.choose("Has focus", "Yes");
    await expectView("focus=yes", "alice", "bob");
    await dashboard.choose("Has focus", "No");
    await expectView("focus=no", "bob", "carol");
    await dashboard.choose("Has focus", "Any");
    await dashboard.choose("Is typing", "Yes");
    await expectView("typing=yes", "bob");
    await dashboard.choose("Is typing", "No");
    await expectView("typing=no", "alice", "bob", "carol");
    await dashboard.choose("Is typing", "Any");
    await dashboard.choose("Conversation", "None");
    await expectView("conversation=", "carol");
    await page.getByLabel("Include background sessions").check();
    await expectView("background=yes&conversation=", "carol");
    await dashboard.choose("Conversation", "This:");
    await page.getByLabel("Conversation id").fill("c2");
    await page.getByLabel("Conversation id").press("Enter");
    await expectView("background=yes&conversation=c2", "bob", "dave");
    await page.getByLabel("Only these users").fill("dave");
    await page.getByLabel("Only these users").press("Enter");
    await expectView("background=yes&conversation=c2&user=dave", "dave");
    await page.getByLabel("Only these users").fill("alice");
    await page.getByRole("button", { name: "Add" }).click();
    await dashboard.choose("Conversation", "Any");
    await expectView("background=yes&user=dave&user=alice", "alice", "dave");
    await page.getByRole("button", { name: "Remove dave" }).click();
    await expectView("background=yes&user=alice", "alice");
    await page.getByRole("button", { name: "Reset filter" }).click();
    await expectView("", "alice", "bob", "carol");
    await page.goBack();
    await expectView("background=yes&user=alice", "alice");
    await page.goBack();
    await expectView("background=yes&user=dave&user=alice", "alice", "dave");
    await page.goForward();
    await expectView("background=yes&user=alice", "alice");
    // Only one view at a time: the previous ones are released.
    await expect.poll(() => gateway.presence().subscriptions).toBe(1);
  });

  it("opens with the state in the address", async () => {
    const dashboard = await open(
      "background=yes&conversation=c2&typing=no&search=a&sort=user.desc&user=dave&user=bob",
    );
    const { page } = dashboard;
    await dashboard.expectUsers("dave");
    expect(await page.getByLabel("Include background sessions").isChecked()).toBe(true);
    expect(await page.getByLabel("Conversation id").inputValue()).toBe("c2");
    expect(
      await page.getByRole("group", { name: "Is typing" }).getByRole("radio", { name: "No" }).isChecked(),
    ).toBe(true);
    expect(await page.getByRole("list", { name: "Users in the filter" }).getByRole("listitem").count()).toBe(
      2,
    );
    await page.getByRole("searchbox").fill("");
    await dashboard.expectUsers("dave", "bob");
    await expect
      .poll(() => dashboard.fragment())
      .toBe("background=yes&conversation=c2&typing=no&user=dave&user=bob&sort=user.desc");
  });

  it("another filter keeps the list of who entered and left, and marks its place", async () => {
    const dashboard = await open();
    await dashboard.expectUsers("alice", "bob", "carol");
    await client.open({ userId: "erin", selectedConversationId: "c1" });
    const entries = () => dashboard.page.locator(".activity-list li").allTextContents();
    await expect.poll(entries).toEqual([expect.stringContaining("erinentered")]);
    await dashboard.choose("Is typing", "Yes");
    await dashboard.expectUsers("bob");
    await expect
      .poll(entries)
      .toEqual([expect.stringContaining("Filter changed"), expect.stringContaining("erinentered")]);
  });

  it("more users in the filter move no other control", async () => {
    const dashboard = await open();
    const { page } = dashboard;
    await dashboard.expectStatus("Live");
    await dashboard.expectUsers("alice", "bob", "carol");
    const places = () =>
      Promise.all(
        [
          page.getByRole("button", { name: "Add" }),
          page.getByRole("button", { name: "Reset filter" }),
          page.locator(".charts"),
          page.locator(".presence"),
        ].map(async (each) => {
          const { x, y } = (await each.boundingBox())!;
          return [x, y];
        }),
      );
    const before = await places();
    for (const users of [1, 2, 30]) {
      await page.evaluate(
        (hash) => {
          (globalThis as unknown as { location: { hash: string } }).location.hash = hash;
        },
        Array.from({ length: users }, (_, i) => `user=a-rather-long-name-${i}`).join("&"),
      );
      await expect.poll(() => page.locator(".chip").count()).toBe(Math.min(users, 13));
      await expect.poll(places).toEqual(before);
    }
  });

  it("counts the users that match the filter", async () => {
    const dashboard = await open("background=yes");
    const { page } = dashboard;
    await dashboard.expectUsers("alice", "bob", "carol", "dave");
    const counts = () => page.locator(".counts > *").allTextContents();
    await expect.poll(counts).toEqual(["4 users", "4 widgets", "1 background", "2 focused", "1 typing"]);
    await dashboard.choose("Is typing", "Yes");
    await expect.poll(counts).toEqual(["1 user", "1 widget", "0 background", "1 focused", "1 typing"]);
    await page.getByLabel("Include background sessions").uncheck();
    await expect.poll(async () => (await counts())[2]).toBe("background hidden");
    const values = () => page.locator(".chart-value").allTextContents();
    await expect.poll(async () => (await values()).slice(0, 3)).toEqual(["1", "1", "1"]);
  });

  unless(whyNoTool("curl"), it)(
    "shows the filter as a curl command that works, without the token",
    async () => {
      const conversation = `it's "c1" $(id)`;
      await client.open({ userId: "frank", selectedConversationId: conversation });
      const dashboard = await open(`conversation=${encodeURIComponent(conversation)}`);
      await dashboard.expectUsers("frank");
      const line = (await dashboard.page.locator(".curl-line").textContent())!;
      const token = await gateway.token({ tokenType: "app" });
      expect(line).toContain("$TOKEN");
      const { stdout } = await promisify(execFile)("sh", ["-c", line], {
        env: { ...process.env, TOKEN: token },
      });
      expect(Object.keys(JSON.parse(stdout).data)).toEqual(["frank"]);
    },
  );

  it("copies the curl command, with the token only on request", async () => {
    const dashboard = await open("typing=yes");
    const { page } = dashboard;
    await dashboard.expectUsers("bob");
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    const copied = () => page.evaluate("navigator.clipboard.readText()") as Promise<string>;
    const outcome = page.locator(".curl [role=status]");
    const line = (await page.locator(".curl-line").textContent())!;
    await page.getByRole("button", { name: "Copy", exact: true }).click();
    await expect.poll(() => outcome.textContent()).toBe("Copied.");
    expect(await copied()).toBe(line);
    await page.getByRole("button", { name: "Copy with token" }).click();
    await expect.poll(() => outcome.textContent()).toBe("Copied with the token.");
    expect(await copied()).toMatch(/Bearer [\w-]+\.[\w-]+\.[\w-]+/);
  });
});
