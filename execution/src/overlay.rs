//! What one block or call has read and written over a state that it cannot change.

use std::collections::BTreeMap;

use quorate_types::{AccountChange, AccountState, Header, SlotChange, StateChanges};
use revm::{
    Database, DatabaseCommit, DatabaseRef,
    primitives::{Address, AddressMap, B256, B256Map, KECCAK_EMPTY, U256, U256Map, hash_map::Entry as Slot},
    state::{Account, AccountInfo, Bytecode},
};

/// A cache over `db` that keeps, for everything it has seen, the value before and the value now.
///
/// Two facts make it this small. From Cancun on only an account created in the same transaction can
/// be destroyed (EIP-6780), so a destroyed account never had storage that `db` knows. And an account
/// that `db` does not have has no storage to ask for.
pub(crate) struct Overlay<DB> {
    db: DB,
    accounts: AddressMap<Entry>,
    codes: B256Map<Bytecode>,
    /// Hashes by number of the parent, and of what else was simulated below: the database may not know them.
    ancestors: BTreeMap<u64, B256>,
    /// The block's own number. It has no hash for code that runs in it, and neither have later ones: a call whose block
    /// was given a higher number may ask for them.
    number: u64,
}

struct Entry {
    before: Option<AccountState>,
    now: Option<AccountState>,
    slots: U256Map<SlotChange>,
    /// Whether `slots` is all of its storage, so that there is nothing to ask the database for.
    whole: bool,
}

impl<DB: DatabaseRef> Overlay<DB> {
    pub(crate) fn new(db: DB, header: &Header) -> Self {
        let (accounts, codes) = (AddressMap::default(), B256Map::default());
        let mut overlay = Self { db, accounts, codes, ancestors: BTreeMap::new(), number: 0 };
        overlay.enter(header);
        overlay
    }

    /// Goes on into the block of `header`, whose parent's state this is.
    pub(crate) fn enter(&mut self, header: &Header) {
        self.ancestors.extend(header.number.checked_sub(1).map(|number| (number, header.parent_hash)));
        self.number = header.number;
    }

    /// All that differs from the database, sorted: neither accounts that were only touched nor slots
    /// that got their old value back.
    pub(crate) fn into_changes(self) -> StateChanges {
        let mut changes = StateChanges::default();
        for (address, Entry { before, now, slots, .. }) in self.accounts {
            let storage: BTreeMap<_, _> =
                slots.into_iter().filter(|(_, slot)| slot.before != slot.after).collect();
            if before == now && storage.is_empty() {
                continue;
            }
            if let Some(code_hash) = new_code(before.as_ref(), now.as_ref())
                && let Some(code) = self.codes.get(&code_hash)
            {
                changes.codes.insert(code_hash, code.original_bytes());
            }
            changes.accounts.insert(address, AccountChange { before, after: now, storage });
        }
        changes
    }

    /// What is at `address` now.
    pub(crate) fn account(&mut self, address: Address) -> Result<AccountState, DB::Error> {
        Ok(load(&self.db, &mut self.accounts, address)?.now.unwrap_or_default())
    }

    /// Puts `account` at `address`; its code must be known to the database or [added](Self::add_code).
    pub(crate) fn set_account(&mut self, address: Address, account: AccountState) -> Result<(), DB::Error> {
        load(&self.db, &mut self.accounts, address)?.now = Some(account);
        Ok(())
    }

    /// Makes code known by its hash.
    pub(crate) fn add_code(&mut self, code_hash: B256, code: Bytecode) {
        self.codes.insert(code_hash, code);
    }

    /// Puts 0 into every slot of `address`.
    pub(crate) fn clear_storage(&mut self, address: Address) -> Result<(), DB::Error> {
        let entry = load(&self.db, &mut self.accounts, address)?;
        entry.slots.clear();
        entry.whole = true;
        Ok(())
    }

    /// Puts `value` into a slot of `address`.
    pub(crate) fn set_slot(&mut self, address: Address, slot: U256, value: U256) -> Result<(), DB::Error> {
        load(&self.db, &mut self.accounts, address)?.slots.entry(slot).or_default().after = value;
        Ok(())
    }

    fn apply(&mut self, address: Address, account: Account) {
        let entry = self.accounts.get_mut(&address).expect("the EVM loads an account before it touches it");
        // EIP-161: a touched account with nothing in it goes.
        if account.is_selfdestructed() || account.is_empty() {
            entry.now = None;
            return;
        }
        let now = state_of(&account.info);
        if let Some(code_hash) = new_code(entry.now.as_ref(), Some(&now))
            && let Some(code) = account.info.code
        {
            self.codes.insert(code_hash, code);
        }
        entry.now = Some(now);
        for (slot, value) in account.storage {
            if value.is_changed() {
                // Slots of an account created in this block are zero without having been read.
                entry.slots.entry(slot).or_default().after = value.present_value;
            }
        }
    }
}

impl<DB: DatabaseRef> Database for Overlay<DB> {
    type Error = DB::Error;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, DB::Error> {
        Ok(load(&self.db, &mut self.accounts, address)?.now.as_ref().map(info_of))
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, DB::Error> {
        match self.codes.entry(code_hash) {
            Slot::Occupied(known) => Ok(known.get().clone()),
            Slot::Vacant(unknown) => Ok(unknown.insert(self.db.code_by_hash_ref(code_hash)?).clone()),
        }
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, DB::Error> {
        let account = load(&self.db, &mut self.accounts, address)?;
        match account.slots.entry(slot) {
            Slot::Occupied(known) => Ok(known.get().after),
            Slot::Vacant(_) if account.whole => Ok(U256::ZERO),
            Slot::Vacant(unknown) => {
                let before = self.db.storage_ref(address, slot)?;
                Ok(unknown.insert(SlotChange { before, after: before }).after)
            }
        }
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, DB::Error> {
        self.block_hash_ref(number)
    }
}

/// The same without keeping what was read, for tracers that look at the state before a transaction.
impl<DB: DatabaseRef> DatabaseRef for Overlay<DB> {
    type Error = DB::Error;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, DB::Error> {
        match self.accounts.get(&address) {
            Some(known) => Ok(known.now.as_ref().map(info_of)),
            None => self.db.basic_ref(address),
        }
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, DB::Error> {
        match self.codes.get(&code_hash) {
            Some(known) => Ok(known.clone()),
            None => self.db.code_by_hash_ref(code_hash),
        }
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, DB::Error> {
        let account = self.accounts.get(&address);
        match account.and_then(|account| account.slots.get(&slot)) {
            Some(known) => Ok(known.after),
            None if account.is_some_and(|account| account.whole) => Ok(U256::ZERO),
            None => self.db.storage_ref(address, slot),
        }
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, DB::Error> {
        if number >= self.number {
            return Ok(B256::ZERO);
        }
        match self.ancestors.get(&number) {
            Some(hash) => Ok(*hash),
            None => self.db.block_hash_ref(number),
        }
    }
}

impl<DB: DatabaseRef> DatabaseCommit for Overlay<DB> {
    fn commit(&mut self, changes: AddressMap<Account>) {
        for (address, account) in changes {
            if account.is_touched() {
                self.apply(address, account);
            }
        }
    }
}

fn load<'a, DB: DatabaseRef>(
    db: &DB,
    accounts: &'a mut AddressMap<Entry>,
    address: Address,
) -> Result<&'a mut Entry, DB::Error> {
    match accounts.entry(address) {
        Slot::Occupied(known) => Ok(known.into_mut()),
        Slot::Vacant(unknown) => {
            let before = db.basic_ref(address)?.as_ref().map(state_of);
            let slots = U256Map::default();
            Ok(unknown.insert(Entry { before, now: before, slots, whole: before.is_none() }))
        }
    }
}

/// The hash of the code that `now` has and `before` had not.
fn new_code(before: Option<&AccountState>, now: Option<&AccountState>) -> Option<B256> {
    let now = now.filter(|now| now.has_code())?;
    (before.map(|before| before.code_hash) != Some(now.code_hash)).then_some(now.code_hash)
}

fn state_of(info: &AccountInfo) -> AccountState {
    let code_hash = if info.code_hash.is_zero() { KECCAK_EMPTY } else { info.code_hash };
    AccountState { nonce: info.nonce, balance: info.balance, code_hash }
}

/// Without code: `AccountInfo::default()` carries empty code, and revm would run that instead of
/// asking for the code behind the hash.
fn info_of(state: &AccountState) -> AccountInfo {
    AccountInfo {
        balance: state.balance,
        nonce: state.nonce,
        code_hash: state.code_hash,
        account_id: None,
        code: None,
    }
}
