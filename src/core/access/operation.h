// Operation: a change that only a person with a key may make: people, routes, destinations,
// secrets. The person signs the exact bytes; brokerd verifies them itself, so that no console,
// API or database between them can widen, redirect or replay anything.
//
// Bytes: docs/formats/operation.md
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "platform/crypto/ed25519.h"

namespace mailhold::access {

inline constexpr Milliseconds operation_life = 10 * 60 * 1000;  // an operation counts this long before and after its time
inline constexpr std::size_t operation_bytes_max = 64 * 1024;

// The tenant in whose name the region itself keeps keys and ledger entries: operators, tenants made and removed.
Id region_tenant();

struct Operation {
  std::string type;  // "route.set", "person.add"
  Id tenant;         // region_tenant() for what belongs to no tenant
  std::map<std::string, std::string> arguments;
  Id signer;  // a person
  Milliseconds at = 0;
  Id nonce;  // random: no operation counts twice

  // Present or invalid_input that names the argument.
  Result<std::string> argument(const std::string& name) const;
  std::string argument_or(const std::string& name, const std::string& otherwise) const;
};

std::string encode(const Operation& operation);
Result<Operation> parse_operation(std::string_view bytes);  // invalid_input unless exactly what encode() gives

struct SignedOperation {
  std::string bytes;      // encode(operation)
  std::string signature;  // Ed25519 over signed_bytes(bytes)
};

// What is signed: a fixed prefix, so that this signature can stand for nothing else, and the bytes.
std::string signed_bytes(std::string_view operation_bytes);
SignedOperation sign(const Operation& operation, const crypto::Ed25519Signer& key);

}  // namespace mailhold::access
