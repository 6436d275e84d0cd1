import { ATTACKS, type AttackName } from "./attacks.ts";

// An attacker in a process of its own, so that the clocks of the bystanders do not share its event loop.

const [name, port] = process.argv.slice(2);
process.on("disconnect", () => process.exit(0));
const attack = await ATTACKS[name as AttackName](Number(port));
process.send!("ready");
await attack();
