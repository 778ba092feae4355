// Package rpc serves Greeter over gRPC.
package rpc

import (
	"context"
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	greeterv1 "github.com/plumbline/plumbline/apps/greeter-go/gen/greeter/v1"
	"github.com/plumbline/plumbline/apps/greeter-go/internal/greet"
)

type service struct {
	greeterv1.UnimplementedGreeterServer
}

func (service) SayHello(_ context.Context, request *greeterv1.HelloRequest) (*greeterv1.HelloReply, error) {
	message, err := greet.Greet(request.GetName())
	if err != nil {
		return nil, statusOf(err)
	}
	return &greeterv1.HelloReply{Message: message}, nil
}

// statusOf is the one table from errors to statuses. For any other error the caller reads only
// "internal".
func statusOf(err error) error {
	var invalid greet.InvalidNameError
	if !errors.As(err, &invalid) {
		return status.Error(codes.Internal, "internal")
	}
	detailed, err := status.New(codes.InvalidArgument, invalid.Error()).WithDetails(&errdetails.BadRequest{
		FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "name", Description: invalid.Description()}},
	})
	if err != nil {
		return status.Error(codes.Internal, "internal")
	}
	return detailed.Err()
}
