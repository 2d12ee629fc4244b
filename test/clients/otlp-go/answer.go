package main

import (
	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

type Answer struct {
	Name string `json:"name"`
	// gRPC code; over HTTP that of the google.rpc.Status in the body.
	Code         int      `json:"code"`
	Message      string   `json:"message"`
	HTTPStatus   int      `json:"httpStatus,omitempty"`
	ContentType  string   `json:"contentType,omitempty"`
	RetryAfter   string   `json:"retryAfter,omitempty"`
	RetryDelayMs int64    `json:"retryDelayMs,omitempty"`
	BadRequest   []string `json:"badRequest,omitempty"`
	Rejected     int64    `json:"rejected"`
	Partial      string   `json:"partial"`
	// Why the client could not send or read at all.
	Failure string `json:"failure,omitempty"`
}

func (answer *Answer) http(order Order, said []byte) error {
	isJSON := answer.ContentType == "application/json"
	if answer.HTTPStatus/100 != 2 {
		var found spb.Status
		var err error
		switch answer.ContentType {
		case "application/json":
			err = protojson.Unmarshal(said, &found)
		case "application/x-protobuf":
			err = proto.Unmarshal(said, &found)
		default:
			answer.Code, answer.Message = -1, string(said)
			return nil
		}
		answer.status(&found)
		return err
	}
	if !isJSON {
		return answer.protobuf(order.Signal, said)
	}
	if order.Signal == "traces" {
		response := ptraceotlp.NewExportResponse()
		err := response.UnmarshalJSON(said)
		answer.traces(response)
		return err
	}
	response := pprofileotlp.NewExportResponse()
	err := response.UnmarshalJSON(said)
	answer.profiles(response)
	return err
}

func (answer *Answer) protobuf(signal string, said []byte) error {
	if signal == "traces" {
		response := ptraceotlp.NewExportResponse()
		err := response.UnmarshalProto(said)
		answer.traces(response)
		return err
	}
	response := pprofileotlp.NewExportResponse()
	err := response.UnmarshalProto(said)
	answer.profiles(response)
	return err
}

func (answer *Answer) profiles(response pprofileotlp.ExportResponse) {
	answer.Rejected, answer.Partial = response.PartialSuccess().RejectedProfiles(), response.PartialSuccess().ErrorMessage()
}

func (answer *Answer) traces(response ptraceotlp.ExportResponse) {
	answer.Rejected, answer.Partial = response.PartialSuccess().RejectedSpans(), response.PartialSuccess().ErrorMessage()
}

func (answer *Answer) status(found *spb.Status) {
	answer.Code, answer.Message = int(found.GetCode()), found.GetMessage()
	for _, detail := range found.GetDetails() {
		var retry errdetails.RetryInfo
		var bad errdetails.BadRequest
		switch {
		case detail.MessageIs(&retry):
			check(detail.UnmarshalTo(&retry))
			answer.RetryDelayMs = retry.GetRetryDelay().AsDuration().Milliseconds()
		case detail.MessageIs(&bad):
			check(detail.UnmarshalTo(&bad))
			for _, one := range bad.GetFieldViolations() {
				answer.BadRequest = append(answer.BadRequest, one.GetDescription())
			}
		}
	}
}
