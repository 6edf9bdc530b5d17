/** A method of `T`, as a function of its arguments and of the real call. */
type Around<T, K extends keyof T> = T[K] extends (...args: infer A) => infer R
  ? (call: () => R, ...args: A) => R
  : never;

export type Arounds<T> = { [K in keyof T]?: Around<T, K> };

/** `target` with some of its methods surrounded; everything else is its own. */
export function around<T extends object>(target: T, arounds: Arounds<T>): T {
  return new Proxy(target, {
    get(_, key) {
      // With the target as `this`: a class's private fields are not the proxy's.
      const own: unknown = Reflect.get(target, key, target);
      if (typeof own !== 'function') return own;
      const surround = arounds[key as keyof T] as
        ((call: () => unknown, ...args: unknown[]) => unknown) | undefined;
      return (...args: unknown[]): unknown => {
        const call = (): unknown => Reflect.apply(own, target, args);
        return surround ? surround(call, ...args) : call();
      };
    },
    set: (_, key, value) => Reflect.set(target, key, value, target),
  });
}
