package berth_test

import (
	"context"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	berthv1 "github.com/berthd/berth/clients/go/gen/berth/v1"
)

// fakeSandboxes streams the events of one execution, as SandboxService would, and breaks Execute where a test says so.
type fakeSandboxes struct {
	berthv1.UnimplementedSandboxServiceServer
	log []*berthv1.ExecuteEvent
	// breakAt ends Execute with an error (io.EOF: cleanly) after so many events. A nil error: never.
	breakAt  int
	breakErr error
	// breakOnce makes only the first Execute break.
	breakOnce bool
	// waitAt makes Execute wait for its client to go away after so many events, and closes gone. 0: it does not.
	waitAt int
	gone   chan struct{}
	// attachErr is AttachExecution's answer, if any.
	attachErr error

	mu       sync.Mutex
	executes []*berthv1.ExecuteRequest
	attaches []*berthv1.AttachExecutionRequest
	tenants  []string
}

func started(id string) *berthv1.ExecuteEvent {
	return &berthv1.ExecuteEvent{Event: &berthv1.ExecuteEvent_Started{Started: &berthv1.ExecutionStarted{ExecutionId: id}}}
}

func wrote(stream berthv1.OutputStream, text string) *berthv1.ExecuteEvent {
	return &berthv1.ExecuteEvent{Event: &berthv1.ExecuteEvent_Output{Output: &berthv1.OutputChunk{Stream: stream, Data: []byte(text)}}}
}

func ended(end *berthv1.ExecutionEnded) *berthv1.ExecuteEvent {
	return &berthv1.ExecuteEvent{Event: &berthv1.ExecuteEvent_Ended{Ended: end}}
}

func exited(code int32) *berthv1.ExecuteEvent {
	return ended(&berthv1.ExecutionEnded{
		Reason:   berthv1.EndReason_END_REASON_EXITED,
		ExitCode: &code,
		Usage:    &berthv1.Usage{WallMs: 12.5, PeakMemoryBytes: 9_000_000},
	})
}

// numbered gives events the numbers 1, 2, 3...
func numbered(events ...*berthv1.ExecuteEvent) []*berthv1.ExecuteEvent {
	for i, e := range events {
		e.Seq = int64(i + 1)
	}
	return events
}

func (f *fakeSandboxes) Execute(request *berthv1.ExecuteRequest, stream grpc.ServerStreamingServer[berthv1.ExecuteResponse]) error {
	incoming, _ := metadata.FromIncomingContext(stream.Context())
	f.mu.Lock()
	f.executes = append(f.executes, request)
	f.tenants = append(f.tenants, incoming.Get("berth-tenant")...)
	breaks := f.breakErr != nil && (len(f.executes) == 1 || !f.breakOnce)
	f.mu.Unlock()
	for i := range len(f.log) + 1 {
		if breaks && i == f.breakAt {
			return cleanEnd(f.breakErr)
		}
		if f.waitAt > 0 && i == f.waitAt {
			<-stream.Context().Done()
			close(f.gone)
			return stream.Context().Err()
		}
		if i == len(f.log) {
			break
		}
		if err := stream.Send(&berthv1.ExecuteResponse{Event: f.log[i]}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeSandboxes) AttachExecution(request *berthv1.AttachExecutionRequest, stream grpc.ServerStreamingServer[berthv1.AttachExecutionResponse]) error {
	f.mu.Lock()
	f.attaches = append(f.attaches, request)
	f.mu.Unlock()
	if f.attachErr != nil {
		return f.attachErr
	}
	for _, e := range f.log[request.GetAfterSeq():] {
		if err := stream.Send(&berthv1.AttachExecutionResponse{Event: e}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeSandboxes) GetExecution(ctx context.Context, _ *berthv1.GetExecutionRequest) (*berthv1.GetExecutionResponse, error) {
	incoming, _ := metadata.FromIncomingContext(ctx)
	f.mu.Lock()
	f.tenants = append(f.tenants, incoming.Get("berth-tenant")...)
	f.mu.Unlock()
	if f.attachErr != nil {
		return nil, f.attachErr
	}
	return &berthv1.GetExecutionResponse{}, nil
}

func (f *fakeSandboxes) calls() (executes []*berthv1.ExecuteRequest, attaches []*berthv1.AttachExecutionRequest, tenants []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.executes), slices.Clone(f.attaches), slices.Clone(f.tenants)
}
