// Context: where a sealed row lies and which key wraps it. It is no part of the row: the reader builds it
// again from the place it read, so a row moved to another tenant, object, field or version does not open.
//
// Design: docs/formats/sealed.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/result.h"

namespace mailhold::sealed {

// What a row is. Numbers are stored inside every seal: never reuse one.
enum class Kind : std::uint16_t {
  tenant_key = 1,
  purpose_key = 2,
  day_key = 3,
  connection_key = 4,
  connection_secret = 5,
  connection_private_key = 6,
  body = 7,
  attachment = 8,
  index_segment = 9,
  index_journal = 10,
  ledger_entry = 11,
  spool = 12,          // an item of the spool
  configuration = 13,  // a row of settings, people, routes
  session = 14,
  link_token = 15,
  backup_manifest = 16,
  canary = 17,
  data_key = 18,  // the key of one object, wrapped under a day key
  root_key = 19,
  region_key = 20,
  spool_hour_key = 21,   // boxed to the spool key of a tenant
  ledger_hour_key = 22,  // boxed to the ledger key of a tenant
  signing_seed = 23,
  entry_key = 24,     // keyd's key to which people seal secrets
  secret_entry = 25,  // a secret on its way to keyd
  trace = 26,         // rows of the trace log
  message_part = 27,
  message_recipe = 28,
  queue = 29,
  held = 30,
  backup_item = 40,
};

struct Context {
  std::string region{};  // the name of the region, such as "eu"
  Id tenant{};           // none for rows above tenants
  Kind kind = Kind::configuration;
  std::string object_id{};    // the id of the object as raw bytes: Id::bytes(), or a hash
  std::uint16_t field = 0;    // which field of the object
  std::uint64_t version = 0;  // of the object
  Id key_id{};                // the sealing key
  std::uint32_t key_version = 0;
  std::string extra{};  // what else must hold, such as SHA-256 of a connection's policy

  std::string encode() const;                            // the canonical bytes
  static Result<Context> parse(std::string_view bytes);  // corrupt unless exactly what encode() gives

  friend bool operator==(const Context&, const Context&) = default;
};

}  // namespace mailhold::sealed
