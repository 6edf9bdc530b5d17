package berth_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/berthd/berth/clients/go/berth"
	berthv1 "github.com/berthd/berth/clients/go/gen/berth/v1"
)

// fakeUploads takes an upload to its end and keeps it, or refuses it after its first piece.
type fakeUploads struct {
	berthv1.UnimplementedEnvServiceServer
	refuse error
	header *berthv1.UploadAppHeader
	data   []byte
	// arrived is closed when the first piece is here.
	arrived chan struct{}
	// ended says how the client's stream ended.
	ended chan error
}

func (f *fakeUploads) UploadApp(stream grpc.ClientStreamingServer[berthv1.UploadAppRequest, berthv1.UploadAppResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	f.header = first.GetHeader()
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			f.ended <- nil
			return stream.SendAndClose(&berthv1.UploadAppResponse{App: &berthv1.App{AppId: f.header.GetAppId()}})
		}
		if err != nil {
			f.ended <- err
			return err
		}
		if f.data == nil {
			close(f.arrived)
		}
		f.data = append(f.data, request.GetData()...)
		if f.refuse != nil {
			return f.refuse
		}
	}
}

func dialUploads(t *testing.T, uploads *fakeUploads) *berth.Client {
	t.Helper()
	uploads.arrived, uploads.ended = make(chan struct{}), make(chan error, 1)
	return startFakeDaemon(t, uploads, nil).dial()
}

func TestUploadAppSendsTheWholeArchive(t *testing.T) {
	uploads := &fakeUploads{}
	client := dialUploads(t, uploads)
	archive := bytes.Repeat([]byte("0123456789"), 100_000)
	app, err := client.UploadApp(deadline(t), &berthv1.UploadAppHeader{AppId: "shop"}, iotest.HalfReader(bytes.NewReader(archive)))
	if err != nil {
		t.Fatal(err)
	}
	if app.GetAppId() != "shop" || !bytes.Equal(uploads.data, archive) || uploads.header.GetRequestId() == "" {
		t.Fatalf("got %v, %d bytes, header %v", app, len(uploads.data), uploads.header)
	}
}

func TestUploadAppAnswersARefusalWhileItSends(t *testing.T) {
	uploads := &fakeUploads{refuse: status.Error(codes.InvalidArgument, "it climbs out")}
	client := dialUploads(t, uploads)
	_, err := client.UploadApp(deadline(t), &berthv1.UploadAppHeader{AppId: "shop"}, endless{})
	var refused *berth.Error
	if !errors.As(err, &refused) || refused.Code != codes.InvalidArgument || !strings.Contains(refused.Message, "climbs out") {
		t.Fatalf("got %v", err)
	}
}

func TestUploadAppOfAReaderThatFailsIsNotStored(t *testing.T) {
	uploads := &fakeUploads{}
	client := dialUploads(t, uploads)
	half := io.LimitReader(endless{}, 256<<10)
	broken := io.MultiReader(half, failsAfter{uploads.arrived, errors.New("the disk broke")})
	_, err := client.UploadApp(deadline(t), &berthv1.UploadAppHeader{AppId: "shop"}, broken)
	if err == nil || !strings.Contains(err.Error(), "the disk broke") {
		t.Fatalf("got %v", err)
	}
	if ended := <-uploads.ended; ended == nil {
		t.Fatal("the daemon took it for whole")
	}
}

// endless is an archive that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// failsAfter is a reader that fails once something has happened.
type failsAfter struct {
	happened <-chan struct{}
	err      error
}

func (f failsAfter) Read([]byte) (int, error) {
	<-f.happened
	return 0, f.err
}
