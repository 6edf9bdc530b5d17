export function installPackage(name: string, appFolder: string): Promise<void>;
