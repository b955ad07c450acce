// WitnessUrl: where a witness is asked. Apart from the client, for who only reads settings and has no network.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold::witness {

// Where a witness is asked: "https://witness.example/prefix" or, inside a private network, "http://10.1.2.3:8090".
struct WitnessUrl {
  bool tls = true;
  std::string host;
  std::uint16_t port = 443;
  std::string path;  // "/prefix/add-checkpoint"

  static Result<WitnessUrl> parse(std::string_view text);  // invalid_input
};

}  // namespace mailhold::witness
