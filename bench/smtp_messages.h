// The messages of the benchmark: unique, HTML of the wanted size with five links, and a valid DKIM signature
// made before the clock starts. The Message-ID is not signed, so that the sender can put its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace mailhold::bench {

struct MessageSettings {
  std::size_t count = 1'000;
  std::size_t bytes = 8'192;
  std::string author_domain = "sender.test";  // From and d=
  std::string selector = "load";
  std::string recipient_domain = "example.test";
  bool rsa = true;       // else ed25519
  std::string key_file;  // private key (RSA: PEM, ed25519: 32 bytes); made if it does not exist; empty: made and forgotten
};

struct MessagePool {
  std::vector<std::string> messages;  // header without Message-ID, body; CRLF lines, dot-stuffing not needed
  std::string dns_name;               // load._domainkey.sender.test
  std::string dns_text;               // the TXT record that makes the signatures valid
};

Result<MessagePool> make_messages(const MessageSettings& settings);

}  // namespace mailhold::bench
