#include "platform/net/client_library.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

namespace mailhold::net {
namespace {

constexpr const char* name = "of-clients";
constexpr std::string_view of_certificates = "structure=SubjectPublicKeyInfo";
constexpr std::string_view kinds_in_certificates[] = {"RSA", "RSA-PSS", "EC", "ED25519", "ED448"};

// Of its names, which are "EC:id-ecPublicKey:1.2.840.10045.2.1", the first.
std::string_view kind_of(const OSSL_ALGORITHM& algorithm) {
  const std::string_view names(algorithm.algorithm_names);
  return names.substr(0, names.find(':'));
}

bool is_of_certificates(const OSSL_ALGORITHM& decoder) {
  return std::string_view(decoder.property_definition).find(of_certificates) != std::string_view::npos &&
         std::find(std::begin(kinds_in_certificates), std::end(kinds_in_certificates), kind_of(decoder)) !=
             std::end(kinds_in_certificates);
}

// A provider of ours in front of OpenSSL's: it hands on what it is asked for, and leaves out decoders.
struct Front {
  OSSL_PROVIDER* whole = nullptr;
  std::vector<OSSL_ALGORITHM> decoders;  // with an empty one at the end
};

Front& front() {
  static Front only;
  return only;
}

const OSSL_ALGORITHM* query_operation(void*, int operation, int* no_store) {
  *no_store = 0;
  if (operation == OSSL_OP_DECODER) return front().decoders.data();
  return ::OSSL_PROVIDER_query_operation(front().whole, operation, no_store);
}

int get_capabilities(void*, const char* capability, OSSL_CALLBACK* take, void* argument) {
  return ::OSSL_PROVIDER_get_capabilities(front().whole, capability, take, argument);
}

int start(const OSSL_CORE_HANDLE*, const OSSL_DISPATCH*, const OSSL_DISPATCH** functions, void** context) {
  static const OSSL_DISPATCH ours[] = {
      {OSSL_FUNC_PROVIDER_QUERY_OPERATION, reinterpret_cast<void (*)()>(query_operation)},
      {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, reinterpret_cast<void (*)()>(get_capabilities)},
      {0, nullptr},
  };
  *functions = ours;
  *context = ::OSSL_PROVIDER_get0_provider_ctx(front().whole);  // what is handed on expects its own
  return 1;
}

bool fill_front() {
  front().whole = ::OSSL_PROVIDER_load(nullptr, "default");
  if (front().whole == nullptr) return false;
  int no_store = 0;
  const OSSL_ALGORITHM* each = ::OSSL_PROVIDER_query_operation(front().whole, OSSL_OP_DECODER, &no_store);
  for (; each != nullptr && each->algorithm_names != nullptr; ++each) {
    if (is_of_certificates(*each)) front().decoders.push_back(*each);
  }
  if (front().decoders.empty()) return false;
  front().decoders.push_back({});
  return true;
}

OSSL_LIB_CTX* make() {
  OSSL_LIB_CTX* const library = fill_front() ? ::OSSL_LIB_CTX_new() : nullptr;
  if (library == nullptr) return nullptr;
  if (::OSSL_PROVIDER_add_builtin(library, name, start) == 1 && ::OSSL_PROVIDER_load(library, name) != nullptr) return library;
  ::OSSL_LIB_CTX_free(library);
  return nullptr;
}

}  // namespace

OSSL_LIB_CTX* client_library() {
  static OSSL_LIB_CTX* const library = make();
  return library;
}

}  // namespace mailhold::net
