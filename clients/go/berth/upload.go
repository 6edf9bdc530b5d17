package berth

import (
	"context"
	"errors"
	"fmt"
	"io"

	berthv1 "github.com/berthd/berth/clients/go/gen/berth/v1"
)

const uploadMessageBytes = 256 << 10

// UploadApp stores an app from an archive (tar, tar.gz or zip) and answers the stored app. The archive is sent as fast as
// the daemon takes it; one whose reader fails is not stored. A header without a request_id is sent with a random one.
func (c *Client) UploadApp(ctx context.Context, header *berthv1.UploadAppHeader, archive io.Reader) (*berthv1.App, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Envs.UploadApp(ctx)
	if err != nil {
		return nil, err
	}
	request := &berthv1.UploadAppRequest{Request: &berthv1.UploadAppRequest_Header{Header: withRequestID(header)}}
	for request != nil {
		// io.EOF says that the daemon has answered already; CloseAndRecv has its answer.
		if err := stream.Send(request); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if request, err = nextPiece(archive); err != nil {
			return nil, err
		}
	}
	response, err := stream.CloseAndRecv()
	if err != nil {
		return nil, err
	}
	return response.GetApp(), nil
}

// nextPiece answers the next piece of an archive, nil at its end.
func nextPiece(archive io.Reader) (*berthv1.UploadAppRequest, error) {
	// gRPC may look at a message after it was sent, so each has a buffer of its own.
	buffer := make([]byte, uploadMessageBytes)
	n, err := io.ReadFull(archive, buffer)
	if n == 0 && errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("berth: the archive cannot be read: %w", err)
	}
	return &berthv1.UploadAppRequest{Request: &berthv1.UploadAppRequest_Data{Data: buffer[:n]}}, nil
}
