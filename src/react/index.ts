/** `presence-gateway/react`: hooks on the client SDK. */
export {};
