/**
 * Any answer below 500 is healthy. For images that have no curl, wget or interpreter but bash, which opens connections by
 * itself. Host, port and path are arguments, never part of the code.
 */
const PROBE =
  'exec 3<>"/dev/tcp/$1/$2" && printf "GET %s HTTP/1.0\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n" "$3" "$1" >&3 ' +
  '&& read -r -t 4 _ status _ <&3 && [ "$status" -lt 500 ]';

/** Docker's health check of a web app in an image with bash. */
export function bashProbe(url: string): string[] {
  const { hostname, port, pathname, search } = new URL(url);
  return ['CMD', 'bash', '-c', PROBE, 'probe', hostname, port || '80', pathname + search];
}
