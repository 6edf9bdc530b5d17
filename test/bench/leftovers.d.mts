export const PEER_LABEL: string;
export function removeLabelled(id: string): Promise<void>;
