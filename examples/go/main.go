// Command counter deploys a contract, writes it, reads it, and follows its events over restarts of the node.
package main

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log"
	"math/big"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi/bind"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/event"
	"github.com/ethereum/go-ethereum/rpc"
)

//go:generate go run github.com/ethereum/go-ethereum/cmd/abigen@v1.17.10 --abi ../contracts/build/Counter.abi --bin ../contracts/build/Counter.bin --pkg main --type Counter --out counter.go

var (
	rpcURL     = cmp.Or(os.Getenv("RPC_URL"), "http://127.0.0.1:20200")
	wsURL      = cmp.Or(os.Getenv("WS_URL"), "ws://127.0.0.1:20200")
	privateKey = cmp.Or(os.Getenv("PRIVATE_KEY"), "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string) error {
	client, err := ethclient.DialContext(ctx, rpcURL)
	if err != nil {
		return err
	}
	defer client.Close()
	switch {
	case len(args) == 1 && args[0] == "deploy":
		return deploy(ctx, client)
	case len(args) == 3 && args[0] == "write":
		number, isNumber := new(big.Int).SetString(args[2], 10)
		if !isNumber {
			return fmt.Errorf("%q is no number", args[2])
		}
		return write(ctx, client, common.HexToAddress(args[1]), number)
	case len(args) == 2 && args[0] == "read":
		return read(ctx, client, common.HexToAddress(args[1]))
	case len(args) == 2 && args[0] == "follow":
		return follow(ctx, common.HexToAddress(args[1]))
	}
	return errors.New("usage: deploy | write ADDRESS NUMBER | read ADDRESS | follow ADDRESS")
}

// transactor signs with the key.
func transactor(ctx context.Context, client *ethclient.Client) (*bind.TransactOpts, error) {
	var key *ecdsa.PrivateKey
	key, err := crypto.HexToECDSA(strings.TrimPrefix(privateKey, "0x"))
	if err != nil {
		return nil, err
	}
	chainID, err := client.ChainID(ctx)
	if err != nil {
		return nil, err
	}
	return bind.NewKeyedTransactorWithChainID(key, chainID)
}

func deploy(ctx context.Context, client *ethclient.Client) error {
	auth, err := transactor(ctx, client)
	if err != nil {
		return err
	}
	_, transaction, _, err := DeployCounter(auth, client, common.Big0)
	if err != nil {
		return err
	}
	address, err := bind.WaitDeployed(ctx, client, transaction)
	if err != nil {
		return err
	}
	fmt.Println(address)
	return nil
}

func write(ctx context.Context, client *ethclient.Client, address common.Address, number *big.Int) error {
	auth, err := transactor(ctx, client)
	if err != nil {
		return err
	}
	counter, err := NewCounter(address, client)
	if err != nil {
		return err
	}
	// It estimates first: a revert is an error here, with its reason.
	transaction, err := counter.Set(auth, number)
	if err != nil {
		return err
	}
	receipt, err := bind.WaitMined(ctx, client, transaction)
	if err != nil {
		return err
	}
	if receipt.Status != types.ReceiptStatusSuccessful {
		return fmt.Errorf("%v reverted in block %v", receipt.TxHash, receipt.BlockNumber)
	}
	fmt.Printf("block %v has %v\n", receipt.BlockNumber, receipt.TxHash)
	return nil
}

func read(ctx context.Context, client *ethclient.Client, address common.Address) error {
	counter, err := NewCounter(address, client)
	if err != nil {
		return err
	}
	number, err := counter.Number(&bind.CallOpts{Context: ctx})
	if err != nil {
		return err
	}
	fmt.Println(number)
	return nil
}

// change is what quorate_subscribe sends.
type change struct {
	Log    types.Log `json:"log"`
	Cursor string    `json:"cursor"`
}

func follow(ctx context.Context, address common.Address) error {
	counter, err := NewCounterFilterer(address, nil)
	if err != nil {
		return err
	}
	changes := make(chan change)
	request := map[string]any{"filter": map[string]any{"address": address}, "fromBlock": "earliest"}
	subscription := event.ResubscribeErr(2*time.Second, func(ctx context.Context, lost error) (event.Subscription, error) {
		if lost != nil {
			log.Printf("%v; connecting again", lost)
		}
		client, err := rpc.DialContext(ctx, wsURL)
		if err != nil {
			return nil, err
		}
		return client.Subscribe(ctx, "quorate", changes, "logs", request)
	})
	defer subscription.Unsubscribe()
	for {
		select {
		case it := <-changes:
			changed, err := counter.ParseChanged(it.Log)
			if err != nil {
				return err
			}
			fmt.Printf("%v by %v\n", changed.Number, changed.By)
			// An application keeps it with what it has made of the event, and so goes on after its own restart too.
			request["cursor"] = it.Cursor
		case <-ctx.Done():
			return nil
		}
	}
}
