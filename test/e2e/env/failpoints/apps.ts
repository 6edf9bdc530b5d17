/** Answers HTTP at once, and ends at once when it is told to. */
const WEB = `
import os, signal, socket
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
listener = socket.create_server(('', int(os.environ['CONTAINER_PORT'])))
while True:
    peer, _ = listener.accept()
    peer.recv(65536)
    peer.sendall(b'HTTP/1.0 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok')
    peer.close()
`;
/** Waits, and ends at once when it is told to. */
const WAITS = `
import os, signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
while True: signal.pause()
`;
const SQL = 'CREATE TABLE t (n INT);\nINSERT INTO t VALUES (1), (2);\n';

function files(metadata: object, more: Record<string, string>) {
  const all = { 'metadata.json': JSON.stringify({ runtimeType: 'python', ...metadata }), ...more };
  return Object.entries(all).map(([path, text]) => ({ path, content: Buffer.from(text), mode: 0 }));
}

const web = {
  containerPort: 8080,
  startCommand: ['python3', 'app.py'],
  volumes: [{ containerPath: '/data' }],
};
const waits = { startCommand: ['python3', 'app.py'] };

/** The apps that are deployed: as small as they can be and hold one thing of each kind. */
export const APPS = {
  plain: files(web, { 'app.py': WEB }),
  failing: files(web, { 'app.py': 'raise SystemExit(3)\n' }),
  shared: files({ ...waits, database: { provider: 'shared' } }, { 'app.py': WAITS, 'init.sql': SQL }),
  standalone: files({ ...waits, database: { provider: 'standalone' } }, { 'app.py': WAITS, 'init.sql': SQL }),
} as const;

export type AppName = keyof typeof APPS;
