import type { TestContext } from "vitest";
import type { ClientOptions, PresenceSession } from "../../src/client/types.ts";
import type { TokenClaims } from "../../src/server/auth/mint.ts";
import { TestGateway, type TestGatewayOptions } from "../support/gateway.ts";
import { TcpProxy } from "../support/proxy.ts";
import { TestSdk } from "../support/sdk.ts";
import type { TRANSPORTS } from "../support/transports.ts";

type Transport = (typeof TRANSPORTS)[number];

/** A gateway behind a network, and SDK clients of it, for one test. */
export class SdkWorld {
  readonly gateway: TestGateway;
  readonly proxy: TcpProxy;
  readonly #context: TestContext;
  readonly #transport: Transport;

  private constructor(context: TestContext, transport: Transport, gateway: TestGateway, proxy: TcpProxy) {
    this.#context = context;
    this.#transport = transport;
    this.gateway = gateway;
    this.proxy = proxy;
  }

  static async make(
    context: TestContext,
    transport: Transport,
    env: Record<string, string> = {},
    options: Omit<TestGatewayOptions, "env"> = {},
  ): Promise<SdkWorld> {
    const gateway = await TestGateway.start(transport, { env, ...options });
    const proxy = await TcpProxy.start(gateway.gateway.port);
    context.onTestFinished(async () => {
      await proxy.stop();
      await gateway.stop();
    });
    return new SdkWorld(context, transport, gateway, proxy);
  }

  async sdk(
    claims: TokenClaims | string = { tokenType: "app" },
    options: Partial<ClientOptions> = {},
  ): Promise<TestSdk> {
    const token = await this.gateway.token(
      typeof claims === "string" ? { tokenType: "user", sub: claims, read: "all" } : claims,
    );
    const sdk = new TestSdk(`http://127.0.0.1:${this.proxy.port}`, token, options);
    this.#context.onTestFinished(() => sdk.client.close());
    return sdk;
  }

  /** A gateway that knows nothing of the one before, at the same address. */
  async restart(env: Record<string, string>): Promise<TestGateway> {
    const next = await TestGateway.start(this.#transport, { env: { RESUME_WINDOW_MS: "1500", ...env } });
    this.#context.onTestFinished(() => next.stop());
    this.proxy.retarget(next.gateway.port);
    await this.gateway.stop();
    return next;
  }
}

/** The widgets of a user, as the gateway lists them. */
export async function widgets(gateway: TestGateway, userId: string): Promise<PresenceSession[]> {
  return (await gateway.query({ userIds: [userId] }))[userId]?.widgets ?? [];
}
