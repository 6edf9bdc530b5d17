//go:build e2e

// These tests need a running berthd with Docker: BERTH_ADDRESS=127.0.0.1:50051 go test -tags e2e -run E2E ./...
package berth_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/berthd/berth/clients/go/berth"
	berthv1 "github.com/berthd/berth/clients/go/gen/berth/v1"
)

func daemonAddress(t *testing.T) string {
	t.Helper()
	address := os.Getenv("BERTH_ADDRESS")
	if address == "" {
		t.Fatal("BERTH_ADDRESS is not set: start berthd and name its address")
	}
	return address
}

func dialDaemon(t *testing.T, address string) *berth.Client {
	t.Helper()
	client, err := berth.Dial(address, berth.WithTenant("go-e2e"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func daemonDeadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func python(code string) *berthv1.ExecuteRequest {
	return &berthv1.ExecuteRequest{Language: "python", Source: &berthv1.ExecuteRequest_Code{Code: code}}
}

func TestE2ERun(t *testing.T) {
	client := dialDaemon(t, daemonAddress(t))
	request := python("import sys\nprint(sum(map(int, sys.stdin)))\nprint('two', file=sys.stderr)\nsys.exit(3)")
	request.Stdin = []byte("20\n22\n")
	result, err := client.Run(daemonDeadline(t), request)
	if err != nil {
		t.Fatal(err)
	}
	if string(result.Stdout) != "42\n" || string(result.Stderr) != "two\n" || result.ExitCode() != 3 || result.OK() {
		t.Fatalf("got %+v", result)
	}
	if result.Usage().GetWallMs() <= 0 || result.Usage().GetStdoutBytes() != 3 || result.Started.GetSandboxId() == "" {
		t.Fatalf("got %v, %v", result.Started, result.Usage())
	}
}

func TestE2EARunAtItsTimeLimitKeepsItsOutput(t *testing.T) {
	client := dialDaemon(t, daemonAddress(t))
	request := python("import time\nprint('so far', flush=True)\ntime.sleep(60)")
	request.Limits = &berthv1.ExecutionLimits{WallMs: 3_000}
	result, err := client.Run(daemonDeadline(t), request)
	if err != nil || result.Reason() != berthv1.EndReason_END_REASON_WALL_TIMEOUT || string(result.Stdout) != "so far\n" || result.ExitCode() != -1 {
		t.Fatalf("got %+v, %v", result, err)
	}
}

func TestE2ECancelLeavesTheSandboxUsable(t *testing.T) {
	client := dialDaemon(t, daemonAddress(t))
	outer := daemonDeadline(t)
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	var last error
	for event, err := range client.Execute(ctx, python("import time\nprint('up', flush=True)\ntime.sleep(60)")) {
		last = err
		if event.GetOutput() != nil {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Fatalf("got %v", last)
	}
	if result, err := client.Run(outer, python("print('again')")); err != nil || string(result.Stdout) != "again\n" {
		t.Fatalf("got %+v, %v", result, err)
	}
}

func TestE2EErrorsNameReasonAndField(t *testing.T) {
	client := dialDaemon(t, daemonAddress(t))
	ctx := daemonDeadline(t)
	_, err := client.Run(ctx, python(""))
	var failure *berth.Error
	if !errors.As(err, &failure) || failure.Code != codes.InvalidArgument || failure.Reason != "INVALID_ARGUMENT" || len(failure.Violations) == 0 || failure.Violations[0].Field != "code" {
		t.Fatalf("got %+v", err)
	}
	_, err = client.Envs.GetEnv(ctx, &berthv1.GetEnvRequest{EnvId: "env-000000000000"})
	if !errors.As(err, &failure) || failure.Code != codes.NotFound || failure.Reason != "ENV_NOT_FOUND" {
		t.Fatalf("got %+v", err)
	}
	_, err = client.Envs.GetUsage(ctx, &berthv1.GetUsageRequest{})
	if status.Code(err) != codes.Unimplemented || errorsReason(err) != "NOT_BUILT" {
		t.Fatalf("got %+v", err)
	}
}

func TestE2EADeploymentIsFollowedOverLostConnections(t *testing.T) {
	address := daemonAddress(t)
	ctx := daemonDeadline(t)
	network := startProxy(t, address)
	client := dialDaemon(t, network.address())

	files := []*berthv1.InlineFile{
		{Path: "metadata.json", Content: []byte(`{"runtimeType": "python", "containerPort": 8000, "startCommand": "python app.py"}`)},
		{Path: "app.py", Content: []byte(webApp)},
	}
	deployment := client.Deploy(ctx, &berthv1.DeployEnvRequest{UserId: "go-e2e", AppId: "cut-off", Files: files})
	var followed []int64
	var operation string
	env, err := berth.Await(deployment, func(event *berthv1.EnvEvent) {
		followed = append(followed, event.GetSeq())
		operation = event.GetOperationId()
		if len(followed)%4 == 1 {
			network.cut()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		direct, err := berth.Dial(address, berth.WithTenant("go-e2e"))
		if err != nil {
			t.Error(err)
			return
		}
		defer direct.Close()
		if _, err := berth.Await(direct.Destroy(ctx, &berthv1.DestroyEnvRequest{EnvId: env.GetEnvId()}), nil); err != nil {
			t.Error(err)
		}
	})
	if cuts := network.cutConnections(); cuts < 2 {
		t.Fatalf("the connection was cut %d times", cuts)
	}

	direct := dialDaemon(t, address)
	recorded, err := seqs(direct.WatchEnv(ctx, &berthv1.WatchEnvRequest{EnvId: env.GetEnvId(), OperationId: operation}))
	if err != nil || !slices.Equal(followed, recorded) {
		t.Fatalf("followed %v, recorded %v, %v", followed, recorded, err)
	}
	response, err := http.Get(env.GetUrl())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if page, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(page), "hello from the cut-off app") {
		t.Fatalf("got %q, %v", page, err)
	}
	if !hasLogLine(ctx, t, direct, env, "it listens") {
		t.Fatal("the app's log line is missing")
	}
}

func TestE2EAFailedDeploymentNamesItsStepAndLogs(t *testing.T) {
	client := dialDaemon(t, daemonAddress(t))
	files := []*berthv1.InlineFile{
		{Path: "metadata.json", Content: []byte(`{"runtimeType": "python", "containerPort": 8000, "startCommand": "python app.py"}`)},
		{Path: "app.py", Content: []byte("raise SystemExit('no way')")},
	}
	deployment := client.Deploy(daemonDeadline(t), &berthv1.DeployEnvRequest{UserId: "go-e2e", AppId: "exits", Files: files})
	_, err := berth.Await(deployment, nil)
	var failed *berth.OperationError
	if !errors.As(err, &failed) || failed.Step == "" || errorsReason(err) != "APP_EXITED" {
		t.Fatalf("got %v", err)
	}
	if lines := fmt.Sprint(failed.LogLines); !strings.Contains(lines, "no way") {
		t.Fatalf("got %s", lines)
	}
}

const webApp = `
import http.server, sys

class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from the cut-off app")

server = http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Hello)
print("it listens", flush=True)
server.serve_forever()
`

func hasLogLine(ctx context.Context, t *testing.T, client *berth.Client, env *berthv1.Env, text string) bool {
	t.Helper()
	for entry, err := range client.EnvLogs(ctx, &berthv1.StreamEnvLogsRequest{EnvId: env.GetEnvId(), Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if string(entry.GetLine().GetText()) == text {
			return true
		}
	}
	return false
}

func TestE2EAnUploadedAppIsListedAndTried(t *testing.T) {
	client := dialDaemon(t, daemonAddress(t))
	ctx := daemonDeadline(t)
	archive := new(bytes.Buffer)
	writer := tar.NewWriter(archive)
	for name, content := range map[string]string{"metadata.json": `{"runtimeType":"python"}`, "app.py": "print('hello')"} {
		if err := writer.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(writer, content); err != nil {
			t.Fatal(err)
		}
	}
	// Without its end the archive is cut off.
	cut := bytes.NewReader(bytes.Clone(archive.Bytes()))
	var refused *berth.Error
	if _, err := client.UploadApp(ctx, &berthv1.UploadAppHeader{AppId: "go-app"}, cut); !errors.As(err, &refused) || refused.Reason != "ARCHIVE_INVALID" {
		t.Fatalf("got %v", err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	app, err := client.UploadApp(ctx, &berthv1.UploadAppHeader{AppId: "go-app", Replace: true}, archive)
	if err != nil {
		t.Fatal(err)
	}
	listed, err := client.Envs.ListApps(ctx, &berthv1.ListAppsRequest{Runtime: "python"})
	if err != nil {
		t.Fatal(err)
	}
	found := slices.ContainsFunc(listed.GetApps(), func(one *berthv1.App) bool { return one.GetDigest() == app.GetDigest() && one.GetValid() })
	if !found {
		t.Fatalf("got %v, without %v", listed, app)
	}
	tried, err := client.Envs.RenderApp(ctx, &berthv1.RenderAppRequest{Deploy: &berthv1.DeployEnvRequest{UserId: "go", AppId: "go-app"}})
	if err != nil {
		t.Fatal(err)
	}
	if tried.GetAppDigest() != app.GetDigest() || tried.GetOutcome() != berthv1.OperationOutcome_OPERATION_OUTCOME_CREATED || !strings.Contains(tried.GetComposeYaml(), "services:") {
		t.Fatalf("got %v", tried)
	}
}
