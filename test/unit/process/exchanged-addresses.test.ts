import t from "tap";
import type { GatewayConfig } from "../../../src/config/gateway-config.js";
import { refuseExchanged } from "../../../src/process/exchanged-addresses.js";

function configOf(listeners: Readonly<Record<string, string>>, admin: string): GatewayConfig {
  const addressOf = (text: string) => {
    const [host = "", port] = text.split(":");
    return { host, port: Number(port), systemd: null };
  };
  const { host, port } = addressOf(admin);
  return {
    listeners: Object.entries(listeners).map(([name, text]) => ({ name, address: addressOf(text) })),
    admin: { address: { host, port } },
  } as unknown as GatewayConfig;
}

const DOORS = {
  "127.0.0.1:80": { address: "127.0.0.1", port: 80, family: "IPv4" },
  "127.0.0.1:0 free": { address: "127.0.0.1", port: 45_000, family: "IPv4" },
};
const NOW = {
  config: configOf({ web: "127.0.0.1:80", free: "127.0.0.1:0" }, "127.0.0.1:0"),
  doors: DOORS,
  admin: { host: "127.0.0.1", port: 9000 },
};

t.test("an address that the gateway itself has elsewhere is refused, with who has it and what to do", async (t) => {
  const exchanged = configOf({ web: "127.0.0.1:9000" }, "127.0.0.1:80");
  t.throws(() => refuseExchanged(NOW, exchanged), {
    message:
      "listener web: cannot listen on 127.0.0.1:9000: the gateway itself listens there, its admin listener; move that one away first, in a reload of its own",
  });
  t.throws(() => refuseExchanged(NOW, configOf({ web: "0.0.0.0:9000" }, "127.0.0.1:9001")), {
    message: /admin listener/,
  });
  for (const port of [80, 45_000]) {
    const moved = configOf({ web: "127.0.0.1:81" }, `127.0.0.1:${port}`);
    t.throws(() => refuseExchanged(NOW, moved), {
      message: new RegExp(`^admin: cannot listen on 127.0.0.1:${port}: the gateway itself listens there, its listener`),
    });
  }
});

t.test("what stays where it is, and what is free, is not refused", async (t) => {
  for (const next of [
    NOW.config,
    configOf({ web: "127.0.0.1:80", other: "127.0.0.1:81" }, "127.0.0.1:9001"),
    configOf({ other: "127.0.0.2:9000" }, "127.0.0.1:0"),
  ]) {
    t.doesNotThrow(() => refuseExchanged(NOW, next));
  }
  t.doesNotThrow(() => refuseExchanged({ ...NOW, admin: null }, configOf({ web: "127.0.0.1:9000" }, "127.0.0.1:0")));
});
