package berth_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/berthd/berth/clients/go/berth"
	berthv1 "github.com/berthd/berth/clients/go/gen/berth/v1"
)

const (
	stdout = berthv1.OutputStream_OUTPUT_STREAM_STDOUT
	stderr = berthv1.OutputStream_OUTPUT_STREAM_STDERR
)

func hello() []*berthv1.ExecuteEvent {
	return numbered(started("exec-1"), wrote(stdout, "hel"), wrote(stderr, "oops"), wrote(stdout, "lo"), exited(0))
}

func TestRunAnswersOutputEndAndUsage(t *testing.T) {
	client := startFakeDaemon(t, nil, &fakeSandboxes{log: hello()}).dial()
	result, err := client.Run(deadline(t), &berthv1.ExecuteRequest{Language: "python"})
	if err != nil {
		t.Fatal(err)
	}
	if string(result.Stdout) != "hello" || string(result.Stderr) != "oops" || result.StdoutDropped != 0 || result.StderrDropped != 0 {
		t.Fatalf("got %+v", result)
	}
	if !result.OK() || result.ExitCode() != 0 || result.Usage().GetPeakMemoryBytes() != 9_000_000 || result.Started.GetExecutionId() != "exec-1" {
		t.Fatalf("got %+v", result)
	}
}

func TestRunKeepsNoMoreThanItIsAllowedTo(t *testing.T) {
	client := startFakeDaemon(t, nil, &fakeSandboxes{log: hello()}).dial()
	var copied bytes.Buffer
	result, err := client.Run(deadline(t), &berthv1.ExecuteRequest{Language: "python"}, berth.KeepOutput(4), berth.CopyOutput(&copied, nil))
	if err != nil || string(result.Stdout) != "hell" || result.StdoutDropped != 1 || string(result.Stderr) != "oops" || result.StderrDropped != 0 {
		t.Fatalf("got %+v, %v", result, err)
	}
	if copied.String() != "hello" {
		t.Fatalf("a copy is whole; got %q", &copied)
	}
	result, err = client.Run(deadline(t), &berthv1.ExecuteRequest{Language: "python"}, berth.KeepOutput(0))
	if err != nil || len(result.Stdout) != 0 || result.StdoutDropped != 5 {
		t.Fatalf("got %+v, %v", result, err)
	}
}

func TestRunOfCodeThatFailsIsNoError(t *testing.T) {
	timeout := ended(&berthv1.ExecutionEnded{Reason: berthv1.EndReason_END_REASON_WALL_TIMEOUT, Signal: "SIGKILL"})
	for _, end := range []struct {
		event  *berthv1.ExecuteEvent
		code   int
		reason berthv1.EndReason
	}{
		{exited(3), 3, berthv1.EndReason_END_REASON_EXITED},
		{timeout, -1, berthv1.EndReason_END_REASON_WALL_TIMEOUT},
	} {
		client := startFakeDaemon(t, nil, &fakeSandboxes{log: numbered(started("exec-1"), end.event)}).dial()
		result, err := client.Run(deadline(t), &berthv1.ExecuteRequest{Language: "python"})
		if err != nil || result.OK() || result.ExitCode() != end.code || result.Reason() != end.reason {
			t.Fatalf("got %+v, %v", result, err)
		}
	}
}

func TestRunKeepsWhatCameBeforeAnError(t *testing.T) {
	for _, loss := range []error{status.Error(codes.Unavailable, "connection closed"), io.EOF} {
		sandboxes := &fakeSandboxes{log: hello(), breakAt: 2, breakErr: loss}
		client := startFakeDaemon(t, nil, sandboxes).dial()
		result, err := client.Run(deadline(t), &berthv1.ExecuteRequest{Language: "python"})
		if err == nil || errors.Is(err, berth.ErrIncomplete) != (loss == io.EOF) {
			t.Fatalf("got %v", err)
		}
		if string(result.Stdout) != "hel" || result.Ended != nil || result.OK() || result.ExitCode() != -1 {
			t.Fatalf("got %+v", result)
		}
		if executes, attaches, _ := sandboxes.calls(); len(executes) != 1 || len(attaches) != 0 {
			t.Fatalf("an execution that ends with its connection is not taken up again; got %v, %v", executes, attaches)
		}
	}
}

func TestRunOfARefusedRequestHasNoResult(t *testing.T) {
	client := startFakeDaemon(t, nil, &fakeSandboxes{breakErr: berthStatus(t, codes.InvalidArgument, "LANGUAGE_UNKNOWN")}).dial()
	result, err := client.Run(deadline(t), &berthv1.ExecuteRequest{Language: "cobol"})
	if result != nil || errorsReason(err) != "LANGUAGE_UNKNOWN" {
		t.Fatalf("got %+v, %v", result, err)
	}
}

func TestRunEndsWithAWriterThatFails(t *testing.T) {
	sandboxes := &fakeSandboxes{log: hello(), waitAt: 3, gone: make(chan struct{})}
	client := startFakeDaemon(t, nil, sandboxes).dial()
	reader, writer := io.Pipe()
	_ = reader.Close()
	ctx := deadline(t)
	_, err := client.Run(ctx, &berthv1.ExecuteRequest{Language: "python"}, berth.CopyOutput(writer, nil))
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Fatalf("got %v", err)
	}
	await(t, ctx, sandboxes.gone, "the daemon sees that the client has gone")
}

func TestCancelEndsAnExecution(t *testing.T) {
	sandboxes := &fakeSandboxes{log: hello(), waitAt: 2, gone: make(chan struct{})}
	client := startFakeDaemon(t, nil, sandboxes).dial()
	outer := deadline(t)
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	var last error
	for e, err := range client.Execute(ctx, &berthv1.ExecuteRequest{Language: "python"}) {
		last = err
		if e.GetOutput() != nil {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Fatalf("got %v", last)
	}
	await(t, outer, sandboxes.gone, "the daemon sees the cancel")
}

func TestADeadlineIsTheContextsError(t *testing.T) {
	sandboxes := &fakeSandboxes{log: hello(), waitAt: 2, gone: make(chan struct{})}
	client := startFakeDaemon(t, nil, sandboxes).dial()
	ctx, cancel := context.WithTimeout(deadline(t), 50*time.Millisecond)
	defer cancel()
	_, err := client.Run(ctx, &berthv1.ExecuteRequest{Language: "python"})
	if !errors.Is(err, context.DeadlineExceeded) || status.Code(err) != codes.DeadlineExceeded {
		t.Fatalf("got %v", err)
	}
}

func TestAnExecutionThatRunsOnIsTakenUpAgain(t *testing.T) {
	sandboxes := &fakeSandboxes{log: hello(), breakAt: 3, breakErr: status.Error(codes.Unavailable, "connection closed")}
	client := startFakeDaemon(t, nil, sandboxes).dial()
	result, err := client.Run(deadline(t), &berthv1.ExecuteRequest{Language: "python", CancelOnDisconnect: proto.Bool(false)})
	if err != nil || string(result.Stdout) != "hello" || string(result.Stderr) != "oops" {
		t.Fatalf("got %+v, %v", result, err)
	}
	executes, attaches, _ := sandboxes.calls()
	if len(executes) != 1 || len(attaches) != 1 || attaches[0].GetExecutionId() != "exec-1" || attaches[0].GetAfterSeq() != 3 {
		t.Fatalf("got %v, %v", executes, attaches)
	}
}

func TestAnExecutionWithARequestIDIsTakenUpAgain(t *testing.T) {
	sandboxes := &fakeSandboxes{log: hello(), breakAt: 3, breakErr: status.Error(codes.Unavailable, "connection closed")}
	client := startFakeDaemon(t, nil, sandboxes).dial()
	result, err := client.Run(deadline(t), &berthv1.ExecuteRequest{Language: "python", RequestId: "r1"})
	if err != nil || string(result.Stdout) != "hello" || string(result.Stderr) != "oops" {
		t.Fatalf("got %+v, %v", result, err)
	}
	executes, attaches, _ := sandboxes.calls()
	if len(executes) != 1 || len(attaches) != 1 || attaches[0].GetAfterSeq() != 3 {
		t.Fatalf("got %v, %v", executes, attaches)
	}
}

func TestOnlyADurableExecutionIsAskedForAgain(t *testing.T) {
	for _, durable := range []bool{false, true} {
		sandboxes := &fakeSandboxes{log: hello(), breakAt: 0, breakErr: status.Error(codes.Unavailable, "connection closed"), breakOnce: true}
		client := startFakeDaemon(t, nil, sandboxes).dial()
		result, err := client.Run(deadline(t), &berthv1.ExecuteRequest{Language: "python", RequestId: "r1", Durable: durable})
		if (err == nil) != durable || durable && string(result.Stdout) != "hello" {
			t.Fatalf("durable %v: got %+v, %v", durable, result, err)
		}
		executes, _, _ := sandboxes.calls()
		if want := map[bool]int{false: 1, true: 2}[durable]; len(executes) != want {
			t.Fatalf("durable %v: got %v", durable, executes)
		}
	}
}

func TestAnExecutionIsNeverAskedForTwice(t *testing.T) {
	sandboxes := &fakeSandboxes{log: hello(), breakAt: 0, breakErr: status.Error(codes.Unavailable, "connection closed")}
	client := startFakeDaemon(t, nil, sandboxes).dial()
	_, err := client.Run(deadline(t), &berthv1.ExecuteRequest{Language: "python", CancelOnDisconnect: proto.Bool(false)})
	if status.Code(err) != codes.Unavailable {
		t.Fatalf("got %v", err)
	}
	if executes, _, _ := sandboxes.calls(); len(executes) != 1 {
		t.Fatalf("got %v", executes)
	}
}

func TestADaemonThatCannotAttachLeavesTheLossAsTheError(t *testing.T) {
	sandboxes := &fakeSandboxes{
		log: hello(), breakAt: 2, breakErr: status.Error(codes.Unavailable, "connection closed"),
		attachErr: berthStatus(t, codes.Unimplemented, "NOT_BUILT"),
	}
	client := startFakeDaemon(t, nil, sandboxes).dial()
	_, err := client.Run(deadline(t), &berthv1.ExecuteRequest{Language: "python", CancelOnDisconnect: proto.Bool(false)})
	if status.Code(err) != codes.Unavailable || errorsReason(err) != "" {
		t.Fatalf("got %v", err)
	}
}

func TestAttachYieldsWhatCameAfter(t *testing.T) {
	client := startFakeDaemon(t, nil, &fakeSandboxes{log: hello()}).dial()
	var got []int64
	for e, err := range client.Attach(deadline(t), &berthv1.AttachExecutionRequest{ExecutionId: "exec-1", AfterSeq: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.GetSeq())
	}
	if !slices.Equal(got, []int64{3, 4, 5}) {
		t.Fatalf("got %v", got)
	}
}
