import { z } from 'zod';
import type { HostView } from './host-view.js';

const versionSchema = z.object({ Version: z.string(), ApiVersion: z.string() });

const infoSchema = z.object({
  DockerRootDir: z.string().default(''),
  CgroupVersion: z.string().default(''),
  MemoryLimit: z.boolean().default(true),
  SwapLimit: z.boolean().default(true),
  CpuCfsQuota: z.boolean().default(true),
  PidsLimit: z.boolean().default(true),
  DefaultRuntime: z.string().default(''),
  Runtimes: z.record(z.string(), z.unknown()).nullish(),
});

const networksSchema = z.array(
  z.object({
    Name: z.string(),
    Labels: z.record(z.string(), z.string()).nullish(),
    IPAM: z.object({ Config: z.array(z.object({ Subnet: z.string().default('') })).nullish() }).nullish(),
  }),
);

export type DockerVersion = z.output<typeof versionSchema>;
export type DockerInfo = z.output<typeof infoSchema>;
export type DockerNetworks = z.output<typeof networksSchema>;

/** What Docker says about itself; undefined when it does not answer, which its own check reports. */
export const dockerVersion = (host: HostView) => answered(host, '/version', versionSchema);
export const dockerInfo = (host: HostView) => answered(host, '/info', infoSchema);
export const dockerNetworks = (host: HostView) => answered(host, '/networks', networksSchema);

async function answered<T>(host: HostView, path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const answer = await host.docker(path);
  if (answer.kind !== 'answer' || answer.httpStatus !== 200) return undefined;
  return schema.safeParse(answer.body).data;
}
