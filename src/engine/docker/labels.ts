/** Whose it is: the configured owner of the daemon that made it. */
export const OWNER_LABEL = 'dev.berth.owner';
/** `sandbox`, `env`, or `database`. */
export const KIND_LABEL = 'dev.berth.kind';
/** Sandbox id, on sandbox containers. */
export const SANDBOX_LABEL = 'dev.berth.sandbox';
/** Env id, on containers, networks and volumes of an env. */
export const ENV_LABEL = 'dev.berth.env';
