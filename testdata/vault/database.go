package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/database/dbplugin/v5"
)

// pluginName is what a connection of the database engine gives as plugin_name.
const pluginName = "fuin-users"

// users is the smallest database that has users: a file that lists them. As a
// database would, it outlives the server, and tests ask it who may log in.
type users struct {
	file string
	mu   *sync.Mutex // of the file
}

// accounts is the file's content.
type accounts struct {
	Created int             `json:"created"` // so many ever
	Users   map[string]user `json:"users"`
}

type user struct {
	Password string    `json:"password"`
	Role     string    `json:"role"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"` // as Vault said; nothing ends by itself
}

// newUsers returns the factory that Vault calls for each connection.
func newUsers(file string) func() (any, error) {
	mu := new(sync.Mutex)
	return func() (any, error) {
		inner := &users{file: file, mu: mu}
		return dbplugin.NewDatabaseErrorSanitizerMiddleware(inner, func() map[string]string { return nil }), nil
	}
}

// change reads the file, lets edit change what it says, and writes it again.
func (u *users) change(edit func(*accounts) error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := accounts{Users: map[string]user{}}
	data, err := os.ReadFile(u.file)
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := edit(&all); err != nil {
		return err
	}
	if data, err = json.Marshal(all); err != nil {
		return err
	}
	return replace(u.file, data)
}

func (u *users) Initialize(_ context.Context, request dbplugin.InitializeRequest) (dbplugin.InitializeResponse, error) {
	answer := dbplugin.InitializeResponse{Config: request.Config}
	answer.SetSupportedCredentialTypes([]dbplugin.CredentialType{dbplugin.CredentialTypePassword})
	return answer, u.change(func(*accounts) error { return nil })
}

func (u *users) NewUser(_ context.Context, request dbplugin.NewUserRequest) (dbplugin.NewUserResponse, error) {
	role := request.UsernameConfig.RoleName
	name := "v-" + role + "-" + strings.ToLower(rand.Text())
	err := u.change(func(all *accounts) error {
		all.Created++
		all.Users[name] = user{Password: request.Password, Role: role, Created: time.Now(), Expires: request.Expiration}
		return nil
	})
	return dbplugin.NewUserResponse{Username: name}, err
}

func (u *users) UpdateUser(_ context.Context, request dbplugin.UpdateUserRequest) (dbplugin.UpdateUserResponse, error) {
	return dbplugin.UpdateUserResponse{}, u.change(func(all *accounts) error {
		account, ok := all.Users[request.Username]
		if !ok {
			return fmt.Errorf("there is no user %s", request.Username)
		}
		if request.Password != nil {
			account.Password = request.Password.NewPassword
		}
		if request.Expiration != nil {
			account.Expires = request.Expiration.NewExpiration
		}
		all.Users[request.Username] = account
		return nil
	})
}

// DeleteUser is what the end of a lease calls.
func (u *users) DeleteUser(_ context.Context, request dbplugin.DeleteUserRequest) (dbplugin.DeleteUserResponse, error) {
	return dbplugin.DeleteUserResponse{}, u.change(func(all *accounts) error {
		delete(all.Users, request.Username)
		return nil
	})
}

func (*users) Type() (string, error) { return pluginName, nil }

func (*users) Close() error { return nil }
