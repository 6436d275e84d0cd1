// Presence on Centrifuge, the library that Centrifugo is made of. A conversation is a map channel: everybody in it keeps
// an entry there, those who watch subscribe to it, and an entry goes with the client that made it.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/golang-jwt/jwt/v5"
)

// As the others, it is quiet when nothing happens, so that no ping is taken for an event.
const quiet = time.Hour

func main() {
	secret := os.Getenv("SECRET")
	node, err := centrifuge.New(centrifuge.Config{
		Map: centrifuge.MapConfig{
			GetMapChannelOptions: func(string) centrifuge.MapChannelOptions {
				return centrifuge.MapChannelOptions{Mode: centrifuge.MapModeRecoverable, KeyTTL: quiet}
			},
		},
	})
	must(err)
	broker, err := centrifuge.NewMemoryMapBroker(node, centrifuge.MemoryMapBrokerConfig{})
	must(err)
	node.SetMapBroker(broker)
	node.OnConnecting(func(_ context.Context, event centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		user, err := userOf(event.Token, secret)
		if err != nil {
			return centrifuge.ConnectReply{}, centrifuge.DisconnectInvalidToken
		}
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{UserID: user}}, nil
	})
	node.OnConnect(func(client *centrifuge.Client) { serve(node, client) })
	must(node.Run())

	http.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		PingPongConfig: centrifuge.PingPongConfig{PingInterval: quiet, PongTimeout: -1},
	}))
	http.HandleFunc("POST /presence", func(response http.ResponseWriter, request *http.Request) {
		if request.Header.Get("Authorization") != "Bearer "+secret {
			response.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer(node, response, request)
	})
	go collectWhenAsked()
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	must(err)
	log.Fatal(http.Serve(listener, nil))
}

func userOf(token string, secret string) (string, error) {
	claims := jwt.RegisteredClaims{}
	_, err := jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return []byte(secret), nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer(os.Getenv("ISSUER")))
	return claims.Subject, err
}

func serve(node *centrifuge.Node, client *centrifuge.Client) {
	var conversation atomic.Pointer[string]
	client.OnSubscribe(func(event centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
		done(centrifuge.SubscribeReply{Options: centrifuge.SubscribeOptions{Type: event.Type}}, nil)
	})
	client.OnMapPublish(func(event centrifuge.MapPublishEvent, done centrifuge.MapPublishCallback) {
		conversation.Store(&event.Channel)
		done(centrifuge.MapPublishReply{Key: client.ID()}, nil)
	})
	client.OnMapRemove(func(_ centrifuge.MapRemoveEvent, done centrifuge.MapRemoveCallback) {
		conversation.Store(nil)
		done(centrifuge.MapRemoveReply{Key: client.ID()}, nil)
	})
	client.OnDisconnect(func(centrifuge.DisconnectEvent) {
		if channel := conversation.Load(); channel != nil {
			_, err := node.MapRemove(context.Background(), *channel, client.ID(), centrifuge.MapRemoveOptions{})
			warn(err)
		}
	})
}

func answer(node *centrifuge.Node, response http.ResponseWriter, request *http.Request) {
	var question struct {
		Conversation string `json:"conversation"`
	}
	if json.NewDecoder(request.Body).Decode(&question) != nil {
		response.WriteHeader(http.StatusBadRequest)
		return
	}
	state, err := node.MapStateRead(request.Context(), question.Conversation, centrifuge.MapReadStateOptions{Limit: -1})
	if err != nil {
		response.WriteHeader(http.StatusInternalServerError)
		return
	}
	users := make([]json.RawMessage, 0, len(state.Publications))
	for _, publication := range state.Publications {
		users = append(users, publication.Data)
	}
	body, err := json.Marshal(users)
	warn(err)
	response.Header().Set("Content-Type", "application/json")
	response.Header().Set("Content-Length", strconv.Itoa(len(body)))
	response.Write(body)
}

// For figures of memory that do not depend on when the garbage collector ran.
func collectWhenAsked() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	for range asked {
		debug.FreeOSMemory()
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func warn(err error) {
	if err != nil {
		log.Print(err)
	}
}
