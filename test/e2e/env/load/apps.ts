/** What becomes of an app's deployment, by its kind. */
export type AppKind = keyof typeof METADATA;

type InlineFile = { path: string; content: Buffer; mode: number };

const LIMITS = { memoryBytes: 64 * 1024 * 1024 };
const SERVER = `
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = open('token').read().encode()
        self.send_response(200)
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
http.server.HTTPServer(('0.0.0.0', 8000), Answer).serve_forever()
`;

const PYTHON = { runtimeType: 'python', containerPort: 8000, limits: LIMITS };
const METADATA = {
  static: { runtimeType: 'nginx', limits: LIMITS },
  server: { ...PYTHON, startCommand: 'python server.py' },
  database: { ...PYTHON, startCommand: 'python server.py', database: { provider: 'shared' } },
  exits: { ...PYTHON, startCommand: ['sh', '-c', 'echo no configuration; exit 7'] },
  exits_later: { ...PYTHON, startCommand: ['sh', '-c', 'sleep 0.4; exit 8'] },
  no_program: { ...PYTHON, startCommand: ['no-such-program'] },
  never_well: {
    ...PYTHON,
    startCommand: 'python server.py',
    healthCheck: { test: ['CMD', 'false'], intervalMs: 200 },
    readyTimeoutMs: 1_500,
  },
  mute: { ...PYTHON, startCommand: ['sleep', '60'], readyTimeoutMs: 700 },
  no_image: { ...PYTHON, baseImage: 'nobody/has-this:1', startCommand: 'python server.py' },
} as const;

/** Reasons of the failures; an app that is not here comes up. */
export const FAILURES: Partial<Record<AppKind, string>> = {
  exits: 'APP_EXITED',
  exits_later: 'APP_EXITED',
  no_program: 'APP_EXITED',
  never_well: 'APP_NOT_READY',
  mute: 'APP_NOT_READY',
  no_image: 'IMAGE_NOT_FOUND',
};

/** An app of the kind, which answers with the token where it answers. */
export function appOf(kind: AppKind, token: string): InlineFile[] {
  const files = {
    'metadata.json': JSON.stringify(METADATA[kind]),
    'server.py': SERVER,
    token,
    'index.html': token,
    ...(kind === 'database' && {
      'init.sql': `CREATE TABLE t (token VARCHAR(64)); INSERT INTO t VALUES ('${token}');`,
    }),
  };
  return Object.entries(files).map(([path, text]) => ({ path, content: Buffer.from(text), mode: 0 }));
}
