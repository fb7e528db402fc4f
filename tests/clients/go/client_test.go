// Package client drives a node as an application in Go does.
package client

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"math/big"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/abi/bind"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
)

const patience = time.Minute

// account signs, and speaks to a node.
type account struct {
	*ethclient.Client
	t       *testing.T
	ctx     context.Context
	key     *ecdsa.PrivateKey
	address common.Address
	chainID *big.Int
}

// must ends the test with an error that nobody expects.
func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: %v, expected %v", what, got, want)
	}
}

func connect(t *testing.T, url string) *account {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	client := must[*ethclient.Client](t)(ethclient.DialContext(ctx, os.Getenv(url)))
	t.Cleanup(client.Close)
	key := must[*ecdsa.PrivateKey](t)(crypto.HexToECDSA(strings.TrimPrefix(os.Getenv("PRIVATE_KEY"), "0x")))
	chainID := must[*big.Int](t)(client.ChainID(ctx))
	return &account{client, t, ctx, key, crypto.PubkeyToAddress(key.PublicKey), chainID}
}

func (a *account) head() uint64 {
	return must[uint64](a.t)(a.BlockNumber(a.ctx))
}

func (a *account) balance(of common.Address, height *big.Int) *big.Int {
	return must[*big.Int](a.t)(a.BalanceAt(a.ctx, of, height))
}

// send signs, sends and waits for the block.
func (a *account) send(transaction types.TxData) *types.Receipt {
	a.t.Helper()
	signed := must[*types.Transaction](a.t)(types.SignNewTx(a.key, types.LatestSignerForChainID(a.chainID), transaction))
	if err := a.SendTransaction(a.ctx, signed); err != nil {
		a.t.Fatal(err)
	}
	return must[*types.Receipt](a.t)(bind.WaitMined(a.ctx, a, signed))
}

func (a *account) nonce() uint64 {
	return must[uint64](a.t)(a.PendingNonceAt(a.ctx, a.address))
}

func (a *account) transactor() *bind.TransactOpts {
	return must[*bind.TransactOpts](a.t)(bind.NewKeyedTransactorWithChainID(a.key, a.chainID))
}

func fresh(t *testing.T) common.Address {
	return crypto.PubkeyToAddress(must[*ecdsa.PrivateKey](t)(crypto.GenerateKey()).PublicKey)
}

func TestTheNetworkIsKnown(t *testing.T) {
	a := connect(t, "RPC_URL")
	expect(t, "eth_chainId", a.chainID.String(), os.Getenv("CHAIN_ID"))
	expect(t, "net_version", must[*big.Int](t)(a.NetworkID(a.ctx)).String(), os.Getenv("CHAIN_ID"))
	if progress := must[*ethereum.SyncProgress](t)(a.SyncProgress(a.ctx)); progress != nil {
		t.Fatalf("it syncs: %v", progress)
	}
	if tip := must[*big.Int](t)(a.SuggestGasTipCap(a.ctx)); tip.Sign() <= 0 {
		t.Fatalf("a tip of %v", tip)
	}
	history := must[*ethereum.FeeHistory](t)(a.FeeHistory(a.ctx, 3, nil, []float64{50}))
	expect(t, "base fees of eth_feeHistory", len(history.BaseFee), len(history.GasUsedRatio)+1)
}

// geth's client computes the hash of a header itself, and compares the root of a block's transactions.
func TestHeadersAndBlocksHashToWhatTheNodeSays(t *testing.T) {
	a := connect(t, "RPC_URL")
	sent := a.send(&types.LegacyTx{Nonce: a.nonce(), To: &a.address, Gas: 21_000, GasPrice: big.NewInt(1e9)})

	header := must[*types.Header](t)(a.HeaderByNumber(a.ctx, sent.BlockNumber))
	expect(t, "the header's hash", header.Hash(), sent.BlockHash)
	block := must[*types.Block](t)(a.BlockByHash(a.ctx, sent.BlockHash))
	expect(t, "the block's hash", block.Hash(), sent.BlockHash)
	expect(t, "the transaction", block.Transactions()[sent.TransactionIndex].Hash(), sent.TxHash)
	parent := must[*types.Header](t)(a.HeaderByHash(a.ctx, header.ParentHash))
	expect(t, "the parent's height", parent.Number.Uint64()+1, header.Number.Uint64())
	receipts := must[[]*types.Receipt](t)(a.BlockReceipts(a.ctx, rpc.BlockNumberOrHashWithHash(sent.BlockHash, false)))
	expect(t, "the root of the receipts", types.DeriveSha(types.Receipts(receipts), newHasher()), header.ReceiptHash)
	if _, err := a.HeaderByNumber(a.ctx, big.NewInt(1e9)); err != ethereum.NotFound {
		t.Fatalf("a height that is not there: %v", err)
	}
}

func TestTransactionsOfEachTypeAreIncluded(t *testing.T) {
	a := connect(t, "RPC_URL")
	bob, wei, price := fresh(t), big.NewInt(7), big.NewInt(1e9)
	kinds := []func(nonce uint64) types.TxData{
		func(nonce uint64) types.TxData {
			return &types.LegacyTx{Nonce: nonce, To: &bob, Value: wei, Gas: 21_000, GasPrice: price}
		},
		func(nonce uint64) types.TxData {
			list := types.AccessList{{Address: bob, StorageKeys: []common.Hash{{}}}}
			return &types.AccessListTx{ChainID: a.chainID, Nonce: nonce, To: &bob, Value: wei, Gas: 30_000, GasPrice: price, AccessList: list}
		},
		func(nonce uint64) types.TxData {
			return &types.DynamicFeeTx{ChainID: a.chainID, Nonce: nonce, To: &bob, Value: wei, Gas: 21_000, GasFeeCap: price, GasTipCap: price}
		},
	}
	for kind, make := range kinds {
		nonce := a.nonce()
		receipt := a.send(make(nonce))

		expect(t, "status", receipt.Status, types.ReceiptStatusSuccessful)
		expect(t, "type", int(receipt.Type), kind)
		found, pending, err := a.TransactionByHash(a.ctx, receipt.TxHash)
		if err != nil || pending {
			t.Fatalf("pending %v, %v", pending, err)
		}
		expect(t, "the nonce that was sent", found.Nonce(), nonce)
		sender := must[common.Address](t)(a.TransactionSender(a.ctx, found, receipt.BlockHash, receipt.TransactionIndex))
		expect(t, "the sender", sender, a.address)
		expect(t, "the balance before", a.balance(bob, new(big.Int).Sub(receipt.BlockNumber, common.Big1)).Int64(), int64(7*kind))
		expect(t, "the balance after", a.balance(bob, receipt.BlockNumber).Int64(), int64(7*(kind+1)))
	}
}

func TestARefusalHasGethsWords(t *testing.T) {
	a := connect(t, "RPC_URL")
	a.send(&types.LegacyTx{Nonce: a.nonce(), To: &a.address, Gas: 21_000, GasPrice: big.NewInt(1e9)})
	signer := types.LatestSignerForChainID(a.chainID)
	refused := func(key *ecdsa.PrivateKey, data types.TxData, words string) {
		t.Helper()
		err := a.SendTransaction(a.ctx, must[*types.Transaction](t)(types.SignNewTx(key, signer, data)))
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Fatalf("%v, expected %q", err, words)
		}
	}
	poor := must[*ecdsa.PrivateKey](t)(crypto.GenerateKey())
	refused(a.key, &types.LegacyTx{Nonce: 0, To: &a.address, Gas: 21_000, GasPrice: big.NewInt(1e9)}, "nonce too low")
	refused(a.key, &types.LegacyTx{Nonce: a.nonce(), To: &a.address, Gas: 20_000, GasPrice: big.NewInt(1e9)}, "intrinsic gas too low")
	refused(poor, &types.LegacyTx{To: &a.address, Value: common.Big1, Gas: 21_000, GasPrice: common.Big1}, "insufficient funds for gas * price + value")
	if _, _, err := a.TransactionByHash(a.ctx, common.Hash{1}); err != ethereum.NotFound {
		t.Fatalf("a transaction that is not there: %v", err)
	}
}

func TestManyBalancesAreWatchedAtOnce(t *testing.T) {
	a, watchers := connect(t, "RPC_URL"), 200
	bob := fresh(t)
	var group sync.WaitGroup
	failures := make(chan error, watchers)
	for range watchers {
		group.Go(func() {
			for {
				balance, err := a.BalanceAt(a.ctx, bob, nil)
				if err != nil {
					failures <- err
					return
				}
				if balance.Sign() > 0 {
					return
				}
			}
		})
	}
	a.send(&types.LegacyTx{Nonce: a.nonce(), To: &bob, Value: big.NewInt(5), Gas: 21_000, GasPrice: big.NewInt(1e9)})
	group.Wait()
	close(failures)
	for err := range failures {
		t.Fatal(err)
	}

	batch := make([]rpc.BatchElem, 100)
	for i := range batch {
		batch[i] = rpc.BatchElem{Method: "eth_getBalance", Args: []any{bob, "latest"}, Result: new(string)}
	}
	batch[50].Method = "eth_noSuchMethod"
	if err := a.Client.Client().BatchCallContext(a.ctx, batch); err != nil {
		t.Fatal(err)
	}
	for i, element := range batch {
		if i == 50 {
			expect(t, "the code of a method that is not there", element.Error.(rpc.Error).ErrorCode(), -32601)
		} else {
			expect(t, "a balance in the batch", *element.Result.(*string), "0x5")
		}
	}
}

func TestNewHeadsComeInOrderWithoutGaps(t *testing.T) {
	a := connect(t, "WS_URL")
	heads := make(chan *types.Header, 64)
	subscription := must[ethereum.Subscription](t)(a.SubscribeNewHead(a.ctx, heads))
	defer subscription.Unsubscribe()
	var seen []*types.Header
	for len(seen) < 4 {
		// A chain of nothing to do is slow; this gives it something.
		a.send(&types.LegacyTx{Nonce: a.nonce(), To: &a.address, Gas: 21_000, GasPrice: big.NewInt(1e9)})
		select {
		case head := <-heads:
			seen = append(seen, head)
		case err := <-subscription.Err():
			t.Fatal(err)
		case <-a.ctx.Done():
			t.Fatal("no head")
		}
	}
	for i, head := range seen[1:] {
		expect(t, "the parent of a head", head.ParentHash, seen[i].Hash())
	}
}

func TestPendingTransactionsAreFollowed(t *testing.T) {
	a := connect(t, "WS_URL")
	hashes := make(chan common.Hash, 64)
	subscription := must[*rpc.ClientSubscription](t)(a.Client.Client().EthSubscribe(a.ctx, hashes, "newPendingTransactions"))
	defer subscription.Unsubscribe()
	sent := a.send(&types.LegacyTx{Nonce: a.nonce(), To: &a.address, Gas: 21_000, GasPrice: big.NewInt(1e9)})
	select {
	case hash := <-hashes:
		expect(t, "the hash", hash, sent.TxHash)
	case <-a.ctx.Done():
		t.Fatal("nothing came")
	}
}

func TestTheNodeTellsItsModules(t *testing.T) {
	a := connect(t, "RPC_URL")
	modules := must[map[string]string](t)(a.Client.Client().SupportedModules())
	for _, name := range []string{"debug", "eth", "net", "quorate", "rpc", "txpool", "web3"} {
		if _, known := modules[name]; !known {
			t.Fatalf("%s is missing in %v", name, modules)
		}
	}
	var description struct{ Methods []struct{ Name string } }
	if err := a.Client.Client().CallContext(a.ctx, &description, "rpc.discover"); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(description.Methods, func(it struct{ Name string }) bool { return it.Name == "eth_getProof" }) {
		t.Fatal("rpc.discover does not tell of eth_getProof")
	}
	var raw json.RawMessage
	err := a.Client.Client().CallContext(a.ctx, &raw, "eth_getBalance", "no address", "latest")
	expect(t, "the code of wrong parameters", err.(rpc.Error).ErrorCode(), -32602)
}
