import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeInBrowser } from "../support/browser.ts";
import type { TestClient } from "../support/client.ts";
import { DashboardPage, startWithFourUsers } from "../support/dashboard.ts";
import { APP, type TestGateway } from "../support/gateway.ts";

describeInBrowser("the dashboard", (browser) => {
  let gateway: TestGateway;
  let client: TestClient;
  const open = (fragment?: string) => DashboardPage.open(browser, gateway, fragment);

  beforeEach(async () => {
    ({ gateway, client } = await startWithFourUsers());
  });
  afterEach(() => gateway.stop());

  describe("sign-in", () => {
    it("by the address removes the token from it and keeps the filter", async () => {
      const dashboard = await open("typing=yes");
      await dashboard.expectUsers("bob");
      expect(dashboard.fragment()).toBe("typing=yes");
      expect(await dashboard.page.locator(".app-id").textContent()).toBe(`app ${APP}`);
      const token = await gateway.token({ tokenType: "app" });
      const { page } = dashboard;
      expect(await page.content()).not.toContain(token);
      expect(await page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")).toBe(
        '[{},{},""]',
      );
      // Going back does not restore the token either.
      await page.goBack();
      expect(page.url()).toBe("about:blank");
    });

    it("by the form accepts only an app token", async () => {
      const page = await browser.open(`${gateway.url}/dashboard/`);
      const field = page.getByLabel("App token");
      expect(await field.getAttribute("type")).toBe("password");
      expect(await field.getAttribute("autocomplete")).toBe("off");
      expect(await page.getByRole("grid").count()).toBe(0);
      for (const [text, problem] of [
        ["", "Enter an app token"],
        ["nonsense", "not a token"],
        [await gateway.token({ tokenType: "user", sub: "alice", read: "all" }), "for one user"],
      ] as const) {
        await field.fill(text);
        await page.getByRole("button", { name: "Sign in" }).click();
        await expect.poll(() => page.getByRole("alert").textContent()).toContain(problem);
      }
      await field.fill(await gateway.token({ tokenType: "app" }));
      await field.press("Enter");
      await page.getByRole("grid").waitFor();
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByLabel("App token").waitFor();
      expect(await page.getByLabel("App token").inputValue()).toBe("");
      await expect.poll(() => gateway.presence().subscriptions).toBe(0);
    });

    it("works again with a link opened in the same page", async () => {
      const page = await browser.open(`${gateway.url}/dashboard/`);
      await page.getByLabel("App token").waitFor();
      await page.goto(`${gateway.url}/dashboard/#token=${await gateway.token({ tokenType: "app" })}`);
      await page.getByRole("grid").waitFor();
      expect(page.url()).toBe(`${gateway.url}/dashboard/`);
    });
  });

  it("shows each user in a row, live", async () => {
    const dashboard = await open();
    await dashboard.expectUsers("alice", "bob", "carol");
    const textOf = (userId: string) => dashboard.row(userId).locator(".cell").allTextContents();
    const before = expect.stringMatching(/^before \d\d:\d\d:\d\d$/);
    expect(await textOf("alice")).toEqual([
      "alice",
      "online",
      "focused",
      "c1",
      "1 widget",
      "plan gold",
      before,
      "–",
    ]);
    expect(await textOf("bob")).toEqual(["bob", "online", "typing", "c1+1", "2 widgets", "", before, "–"]);
    expect(await textOf("carol")).toEqual([
      "carol",
      "online",
      "on screen",
      "none",
      "1 widget",
      "",
      before,
      "–",
    ]);
    await dashboard.expectStatus("Live");
    const erin = await client.open({ userId: "erin", selectedConversationId: "c3" });
    await dashboard.expectUsers("alice", "bob", "carol", "erin");
    const [since, changed] = (await textOf("erin")).slice(6);
    expect(since).toMatch(/^\d\d:\d\d:\d\d$/);
    expect(changed).toBe(since);
    // A mark stays for a moment only, so there are changes until one of them is seen.
    let changes = 0;
    await expect
      .poll(async () => {
        await client.ask({ type: "update", sessionId: erin, custom: { n: String(++changes) } });
        return await dashboard.row("erin").getAttribute("class");
      })
      .toMatch(/marked-/);
    await client.ask({ type: "update", sessionId: erin, hasFocus: true });
    await expect.poll(async () => (await textOf("erin"))[2]).toBe("focused");
    await client.ask({ type: "close", sessionId: erin });
    await dashboard.expectUsers("alice", "bob", "carol");
  });

  it("shows conversations and who is in them", async () => {
    const dashboard = await open("background=yes");
    const { page } = dashboard;
    await dashboard.expectUsers("alice", "bob", "carol", "dave");
    await dashboard.choose("Rows", "Conversations");
    expect(dashboard.fragment()).toBe("background=yes&view=conversations");
    const rows = page.getByRole("table", { name: "Conversations" }).locator(".grid-body [role=row]");
    await expect
      .poll(() => rows.allTextContents())
      .toEqual([
        "c12 users2 available2 focused1 typingalicebob typing",
        "c22 users2 available0 focused0 typingbobdave",
        "none1 user1 available0 focused0 typingcarol",
      ]);
    await page.getByRole("searchbox").fill("dave");
    await expect.poll(() => rows.allTextContents()).toEqual(["c21 user1 available0 focused0 typingdave"]);
    await page.getByRole("searchbox").fill("");
    await rows.first().getByRole("button", { name: "alice" }).click();
    await expect.poll(() => dashboard.details.getByRole("heading").textContent()).toBe("alice");
    await rows.nth(1).getByRole("button", { name: "c2" }).click();
    await dashboard.expectUsers("bob", "dave");
    expect(dashboard.fragment()).toBe("background=yes&conversation=c2");
  });

  it("stands still while it is paused, and has everything afterwards", async () => {
    const dashboard = await open();
    const { page } = dashboard;
    await dashboard.expectUsers("alice", "bob", "carol");
    await page.getByRole("button", { name: "Pause" }).click();
    await dashboard.expectStatus(/^Paused at \d\d:\d\d:\d\d$/);
    await client.open({ userId: "erin" });
    // The charts go on, so the change has arrived.
    await expect.poll(() => page.locator(".chart-value").first().textContent()).toBe("4");
    await page.getByRole("columnheader", { name: "User" }).getByRole("button").click();
    await dashboard.expectUsers("carol", "bob", "alice");
    expect(await page.locator(".activity-list li").count()).toBe(0);
    await page.getByRole("button", { name: "Resume" }).click();
    await dashboard.expectUsers("erin", "carol", "bob", "alice");
    await dashboard.expectStatus("Live");
    await expect
      .poll(() => page.locator(".activity-list li").allTextContents())
      .toEqual([expect.stringContaining("erinentered")]);
  });

  it("saves what the table shows, in its order", async () => {
    const dashboard = await open("sort=user.desc&search=c1");
    const { page } = dashboard;
    await dashboard.expectUsers("bob", "alice");
    const save = async (name: string) => {
      const waiting = page.waitForEvent("download");
      await page.getByRole("button", { name, exact: true }).click();
      const file = await waiting;
      return { name: file.suggestedFilename(), text: readFileSync(await file.path(), "utf8") };
    };
    const csv = await save("CSV");
    expect(csv.name).toMatch(/^presence-[\d-]+\.csv$/);
    const lines = csv.text.split("\r\n").slice(0, -1);
    expect(lines.map((line) => line.split(",")[0])).toEqual(["\ufeffuser", "bob", "bob", "alice"]);
    const json = await save("JSON");
    expect(json.name).toMatch(/^presence-[\d-]+\.json$/);
    expect(JSON.parse(json.text)).toMatchObject({
      appId: APP,
      search: "c1",
      users: [{ userId: "bob" }, { userId: "alice", sessions: [{ custom: { plan: "gold" } }] }],
    });
  });

  it("highlights no row while it is sorted by the time of the change", async () => {
    const dashboard = await open("sort=changed.desc");
    await dashboard.expectUsers("alice", "bob", "carol");
    await client.open({ userId: "erin" });
    await dashboard.expectUsers("erin", "alice", "bob", "carol");
    expect(await dashboard.row("erin").getAttribute("class")).not.toContain("marked");
  });

  it("searches and sorts", async () => {
    const dashboard = await open();
    const { page } = dashboard;
    await page.getByRole("searchbox").fill("GOLD");
    await dashboard.expectUsers("alice");
    await page.getByRole("searchbox").fill("c2");
    await dashboard.expectUsers("bob");
    expect(dashboard.fragment()).toBe("search=c2");
    expect(await page.locator(".counts").textContent()).toContain("1 found");
    await page.getByRole("searchbox").fill("nobody's");
    await expect.poll(() => page.locator(".notice").textContent()).toContain("nobody's");
    await page.getByRole("searchbox").fill("");
    const header = (name: string) => page.getByRole("columnheader", { name });
    await header("User").getByRole("button").click();
    await dashboard.expectUsers("carol", "bob", "alice");
    expect(await header("User").getAttribute("aria-sort")).toBe("descending");
    await header("Attention").getByRole("button").click();
    await dashboard.expectUsers("bob", "alice", "carol");
    await header("Sessions").getByRole("button").click();
    await header("Sessions").getByRole("button").click();
    await dashboard.expectUsers("bob", "alice", "carol");
    expect(dashboard.fragment()).toBe("sort=sessions.desc");
  });

  it("lists users that entered and left, with the cause", async () => {
    const dashboard = await open("conversation=c1");
    await dashboard.expectUsers("alice", "bob");
    const entries = () => dashboard.page.locator(".activity-list li").allTextContents();
    const expectNewest = (text: RegExp) => expect.poll(async () => (await entries())[0]).toMatch(text);
    const sessionId = await client.open({ userId: "erin", selectedConversationId: "c1" });
    await expectNewest(/^\d\d:\d\d:\d\derinentered$/);
    await client.ask({ type: "update", sessionId, selectedConversationId: "c2" });
    await expectNewest(/erinleft: no longer matches$/);
    await client.ask({ type: "update", sessionId, selectedConversationId: "c1" });
    await expectNewest(/erinentered$/);
    await client.ask({ type: "close", sessionId });
    await expectNewest(/erinleft: closed the page$/);
    await gateway.http("DELETE", `/v1/${APP}/users/alice/sessions`);
    await expectNewest(/aliceleft: ended on request$/);
    expect(await entries()).toHaveLength(5);
  });

  it("draws its charts and shows the health of the node", async () => {
    const dashboard = await open();
    const { page } = dashboard;
    await dashboard.expectUsers("alice", "bob", "carol");
    await client.open({ userId: "erin" });
    await expect.poll(() => page.locator(".chart-value").first().textContent()).toBe("4");
    await page.getByRole("img", { name: /^Online, the last minute, now 4$/ }).waitFor();
    // There are four charts, and each has drawn a line in its own colour.
    await expect
      .poll(() =>
        page.locator(".plot canvas").evaluateAll((canvases) =>
          canvases.map((each) => {
            const canvas = each as unknown as {
              width: number;
              height: number;
              getContext(kind: "2d"): { getImageData(...box: number[]): { data: number[] } };
            };
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let coloured = 0;
            for (let i = 0; i < data.length; i += 4) {
              const [red, green, blue, alpha] = [data[i]!, data[i + 1]!, data[i + 2]!, data[i + 3]!];
              if (alpha > 200 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) coloured++;
            }
            return coloured > 0;
          }),
        ),
      )
      .toEqual([true, true, true, true]);
    const node = page.locator(".node");
    await expect.poll(() => node.textContent()).toContain(gateway.node.nodeId);
    // The first answer may be older than the subscription.
    await expect.poll(() => node.textContent()).toMatch(/Sockets\d+.*Views1.*Memory[\d,]+ MB.*p99/);
  });

  it("supports the keyboard", async () => {
    const dashboard = await open();
    const { page, grid } = dashboard;
    await dashboard.expectUsers("alice", "bob", "carol");
    await grid.focus();
    const activeText = () =>
      page.evaluate(
        "document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))?.textContent",
      );
    await page.keyboard.press("ArrowDown");
    await expect.poll(activeText).toBe("alice");
    await page.keyboard.press("End");
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowDown");
    await expect.poll(activeText).toBe("bob");
    await page.keyboard.press("ArrowRight");
    await expect.poll(activeText).toBe("online");
    await page.keyboard.press("ArrowRight");
    await expect.poll(activeText).toBe("typing");
    // The active cell follows its user.
    await client.open({ userId: "aaron" });
    await dashboard.expectUsers("aaron", "alice", "bob", "carol");
    await expect.poll(activeText).toBe("typing");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.evaluate("document.activeElement.textContent")).toBe("bob");
    await page.keyboard.press("Escape");
    await expect.poll(() => page.evaluate("document.activeElement.role")).toBe("grid");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await dashboard.expectUsers("alice", "bob");
    expect(dashboard.fragment()).toBe("conversation=c1");
  });
});
