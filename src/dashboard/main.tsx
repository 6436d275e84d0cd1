import { render } from "preact";
import { App } from "./app.tsx";
import { takeTokenFromAddress } from "./store/address.ts";

const token = takeTokenFromAddress();
render(<App token={token} />, document.getElementById("app")!);
