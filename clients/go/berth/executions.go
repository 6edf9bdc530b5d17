package berth

import (
	"context"
	"iter"

	berthv1 "github.com/berthd/berth/clients/go/gen/berth/v1"
)

// Execute runs code once and yields what happens: started, output as it appears, and ended as the last event, also when
// the code fails. What goes wrong before the code starts is an error without any event.
//
// By default the execution is cancelled when the loop is left or ctx ends; with cancel_on_disconnect false it runs on.
// With that, or with a request_id, a lost connection is bridged with AttachExecution: no event is lost or repeated. A
// request is sent again only when it is durable, so code never runs twice.
func (c *Client) Execute(ctx context.Context, request *berthv1.ExecuteRequest) iter.Seq2[*berthv1.ExecuteEvent, error] {
	runsOn := request.CancelOnDisconnect != nil && !request.GetCancelOnDisconnect()
	outlivesItsCall := runsOn || request.GetRequestId() != ""
	return follow(ctx, c.resumeWindow, func() source[*berthv1.ExecuteEvent] {
		s := executionSource{client: c}
		return source[*berthv1.ExecuteEvent]{
			open: func(ctx context.Context) (func() (*berthv1.ExecuteEvent, error), error) {
				if s.id != "" {
					return s.attach(ctx)
				}
				return events(c.Sandboxes.Execute(ctx, request))
			},
			note: s.note,
			resumable: func() bool {
				return outlivesItsCall && s.id != "" || request.GetDurable() && request.GetRequestId() != ""
			},
		}
	})
}

// Attach yields the events of an execution, running or ended a while ago, behind after_seq. A lost connection is bridged.
func (c *Client) Attach(ctx context.Context, request *berthv1.AttachExecutionRequest) iter.Seq2[*berthv1.ExecuteEvent, error] {
	return follow(ctx, c.resumeWindow, func() source[*berthv1.ExecuteEvent] {
		s := executionSource{client: c, id: request.GetExecutionId(), seq: request.GetAfterSeq()}
		return source[*berthv1.ExecuteEvent]{
			open:      s.attach,
			note:      s.note,
			resumable: func() bool { return true },
		}
	})
}

// executionSource is how far one execution was read.
type executionSource struct {
	client *Client
	id     string
	seq    int64
}

func (s *executionSource) attach(ctx context.Context) (func() (*berthv1.ExecuteEvent, error), error) {
	request := &berthv1.AttachExecutionRequest{ExecutionId: s.id, AfterSeq: s.seq}
	return events(s.client.Sandboxes.AttachExecution(ctx, request))
}

func (s *executionSource) note(event *berthv1.ExecuteEvent) (repeated, last bool) {
	if event.GetSeq() <= s.seq {
		return true, false
	}
	s.seq = event.GetSeq()
	if started := event.GetStarted(); started != nil {
		s.id = started.GetExecutionId()
	}
	return false, event.GetEnded() != nil
}
