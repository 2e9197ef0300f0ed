package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"users-service/bench/gen"
)

// As in functions/users/validation.ts and functions/users/limits.ts.
const (
	usernameMaxSize    = 64
	emailMaxCharacters = 254
	passwordMinBytes   = 8
	passwordMaxBytes   = 128
	maxUsersPerRequest = 10_000
	nilUUID            = "00000000-0000-0000-0000-000000000000"
)

// checkCreateUser keeps to the rules of functions/users/validation.ts, which are regular expressions there. Those of Go
// are slow, so they are written out here.
func checkCreateUser(request *gen.CreateUserRequest) error {
	var violations []*errdetails.BadRequest_FieldViolation
	wrong := func(field, description string) {
		violations = append(violations, &errdetails.BadRequest_FieldViolation{Field: field, Description: description})
	}
	if request.Username == "" {
		wrong("username", "is required")
	} else if !isUsername(request.Username) {
		wrong("username", "must be 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit")
	}
	if size := len(request.Password); size > 0 && (size < passwordMinBytes || size > passwordMaxBytes) {
		wrong("password", "must be 8 to 128 bytes in UTF-8, not "+strconv.Itoa(size))
	}
	if request.Email != "" && !isEmail(request.Email) {
		wrong("email", "must be an address such as alexa@example.com")
	}
	if request.RequestId != "" && !isUUID(request.RequestId) {
		wrong("request_id", "must be a UUID such as 9f0e3b1c-6f0b-4c55-8f4a-2d7c3c1a5b9e, and not all zeros")
	}
	if len(violations) == 0 {
		return nil
	}
	return invalid("the request has invalid fields", violations)
}

func checkGetUsers(request *gen.GetUsersRequest) error {
	if count := len(request.User); count > maxUsersPerRequest {
		description := "must be at most 10,000 users, not " + strconv.Itoa(count)
		violation := &errdetails.BadRequest_FieldViolation{Field: "user", Description: description}
		return invalid("the request asks for too many users", []*errdetails.BadRequest_FieldViolation{violation})
	}
	return nil
}

func invalid(message string, violations []*errdetails.BadRequest_FieldViolation) error {
	details := &errdetails.BadRequest{FieldViolations: violations}
	detailed, err := status.New(codes.InvalidArgument, message).WithDetails(details)
	if err != nil {
		return err
	}
	return detailed.Err()
}

func isUsername(text string) bool {
	if len(text) == 0 || len(text) > usernameMaxSize || !isAlphanumeric(text[0]) {
		return false
	}
	for index := range len(text) {
		if it := text[index]; !isAlphanumeric(it) && it != '.' && it != '_' && it != '-' {
			return false
		}
	}
	return true
}

func isAlphanumeric(it byte) bool {
	return it >= '0' && it <= '9' || it >= 'A' && it <= 'Z' || it >= 'a' && it <= 'z'
}

func isEmail(text string) bool {
	if utf8.RuneCountInString(text) > emailMaxCharacters {
		return false
	}
	local, domain, ok := strings.Cut(text, "@")
	if !ok || local == "" || strings.Contains(domain, "@") || !strings.Contains(domain, ".") {
		return false
	}
	if domain[0] == '.' || domain[len(domain)-1] == '.' || strings.Contains(domain, "..") {
		return false
	}
	for _, it := range text {
		if unicode.IsSpace(it) || unicode.Is(unicode.C, it) {
			return false
		}
	}
	return true
}

func isUUID(text string) bool {
	if len(text) != len(nilUUID) || text == nilUUID {
		return false
	}
	for index := range len(text) {
		it := text[index]
		isDash := index == 8 || index == 13 || index == 18 || index == 23
		isHex := it >= '0' && it <= '9' || it >= 'a' && it <= 'f' || it >= 'A' && it <= 'F'
		if isDash && it != '-' || !isDash && !isHex {
			return false
		}
	}
	return true
}
