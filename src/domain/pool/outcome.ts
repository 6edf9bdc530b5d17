/** What kind of place serves an execution: a pool's sandbox, a container made for it alone, or processes without an engine. */
export type ServedBy = 'pool' | 'one_shot' | 'local';

/** Why a request did not find a sandbox ready. */
export type MissReason =
  /** No pool of this spec existed; one was made. */
  | 'new_pool'
  /** Nothing had been leased yet; the first sandboxes were still being created. */
  | 'warming_up'
  /** All sandboxes were in use; the pool grew. */
  | 'all_in_use'
  /** The only ones not in use were being reset. */
  | 'resetting'
  /** The pool was at its maximum; the request waited for a sandbox to come back. */
  | 'at_maximum'
  /** The only idle sandboxes were kept for other tenants; one was replaced. */
  | 'other_tenant'
  /** The pool could not create a sandbox. */
  | 'create_failed'
  /** The container engine did not answer. */
  | 'engine_unavailable'
  /** The request insisted on a container of its own. */
  | 'own_container'
  /** What Berth may promise on this host is used up; the request waited. */
  | 'host_budget'
  /** The pool is being drained. */
  | 'draining'
  /** The sandbox that was free turned out dead or unhealthy. */
  | 'unhealthy'
  /** Pools are switched off. */
  | 'disabled';
