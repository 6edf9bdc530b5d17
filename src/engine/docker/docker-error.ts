import { BerthError, isBerthError } from '../../domain/errors.js';
import type { ErrorReason } from '../../domain/error-reasons.js';
import type { DockerFailure } from './worker/failure.js';

/** A failed call or stream, inside the engine only; `berthErrorFrom` translates it where it leaves. */
export class DockerError extends Error {
  override readonly name = 'DockerError';
  constructor(readonly failure: DockerFailure) {
    super(failure.message);
  }
}

export function isFailure(error: unknown, ...codes: DockerFailure['code'][]): boolean {
  return error instanceof DockerError && codes.includes(error.failure.code);
}

/** What an error that has no meaning of its own means where it happened. */
export interface FailureContext {
  /** Such as `starting container env-1`: goes into the message. */
  doing: string;
  /** Reason for a request that Docker refuses. */
  refused: ErrorReason;
  /** Reason for a thing that is not there; default: as `refused`. */
  missing?: ErrorReason;
  /** The caller's; when it was aborted with an error of the domain (a deadline), that one stands. */
  signal?: AbortSignal | undefined;
}

/** The domain's error for whatever was thrown in the engine; a `BerthError` stays as it is. */
export function berthErrorFrom(error: unknown, context: FailureContext): BerthError {
  if (error instanceof BerthError) return error;
  if (!(error instanceof DockerError)) {
    return new BerthError('INTERNAL', `${context.doing}: ${String(error)}`, { cause: error });
  }
  const { failure } = error;
  const message = `${context.doing}: ${failure.message}`;
  switch (failure.code) {
    case 'unreachable':
      return dockerUnavailable(`${context.doing}: ${unreachableText(failure)}`, error);
    case 'unsupported':
    case 'timeout':
    case 'worker_died':
      return dockerUnavailable(message, error);
    case 'overloaded':
      return new BerthError('OVERLOADED', message, { cause: error, retryAfterMs: 1_000 });
    case 'cancelled':
      if (isBerthError(context.signal?.reason)) return context.signal.reason;
      return new BerthError('CANCELLED', message, { cause: error });
    case 'no_such_image':
      return imageNotFound(failure.message.replace(/^.*no such image:\s*/i, ''), error);
    case 'port_in_use':
      return new BerthError('PORT_TAKEN', message, {
        cause: error,
        metadata: failure.port === undefined ? {} : { port: String(failure.port) },
      });
    case 'subnet_taken':
      return new BerthError(
        'SUBNET_NONE_FREE',
        `${message}; remove networks that are not used, or configure another range`,
        { cause: error },
      );
    case 'not_found':
      return new BerthError(context.missing ?? context.refused, message, { cause: error });
    case 'conflict':
    case 'bad_parameter':
    case 'docker':
      return new BerthError(context.refused, message, { cause: error });
    case 'protocol':
      return new BerthError('DOCKER_ERROR', message, { cause: error });
    case 'defect':
      return new BerthError('INTERNAL', message, { cause: error });
  }
}

/** Every error that leaves `work` is the domain's. */
export async function translated<T>(context: FailureContext, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw berthErrorFrom(error, context);
  }
}

/** For `catch`: what is not there has no answer; any other failure stays one. */
export function unlessGone(error: unknown): null {
  if (isFailure(error, 'not_found')) return null;
  throw error;
}

export function cancelledError(): DockerError {
  return new DockerError({ code: 'cancelled', message: 'cancelled' });
}

export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelledError();
}

export function imageNotFound(image: string, cause?: unknown): BerthError {
  return new BerthError(
    'IMAGE_NOT_FOUND',
    `image ${image} is not on this host; run 'berth images prepare', or 'docker pull ${image}' where a registry answers`,
    { cause, metadata: { image }, resource: { type: 'image', name: image } },
  );
}

function dockerUnavailable(message: string, cause: unknown): BerthError {
  return new BerthError('DOCKER_UNAVAILABLE', message, { cause, retryAfterMs: 2_000 });
}

/** Why Docker cannot be reached and what to do about it, for a person. */
export function unreachableText(failure: Extract<DockerFailure, { code: 'unreachable' }>): string {
  switch (failure.cause) {
    case 'missing':
    case 'refused':
      return `Docker does not answer (${failure.message}); is it installed and running? Start it with 'systemctl start docker' or 'dockerd'`;
    case 'denied':
      return `no permission on Docker's socket (${failure.message}); run berthd as root or as a member of the group 'docker'`;
    case 'lost':
      return `the connection to Docker was lost (${failure.message}); it may be restarting`;
  }
}
