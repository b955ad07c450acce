#include "platform/pkcs11/token_module.h"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

#include <array>
#include <vector>

#include "base/random.h"

namespace mailhold::pkcs11 {
namespace {

constexpr const char* key_label = "mailhold root seal 1";
constexpr std::size_t nonce_size = 12;
constexpr std::size_t tag_size = 16;
constexpr std::size_t wrapped_bytes_max = 256;
constexpr std::size_t pin_bytes_max = 255;

Error failure(CK_RV code, const std::string& token) {
  switch (code) {
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE: return {ErrorKind::denied, "wrong PIN for token " + token};
    case CKR_PIN_LOCKED: return {ErrorKind::denied, "token " + token + " is locked after too many wrong PINs"};
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_TOKEN_NOT_RECOGNIZED:
    case CKR_DEVICE_REMOVED: return {ErrorKind::not_found, "token " + token + " is not there"};
    default: return {ErrorKind::unavailable, "token " + token + " failed with code " + std::to_string(code)};
  }
}

CK_BYTE_PTR bytes_of(std::string_view text) {
  return reinterpret_cast<CK_BYTE_PTR>(const_cast<char*>(text.data()));  // the interface knows no const
}

std::string label_of(const CK_TOKEN_INFO& info) {
  std::string label(reinterpret_cast<const char*>(info.label), sizeof info.label);
  label.erase(label.find_last_not_of(' ') + 1);
  return label;
}

CK_MECHANISM gcm(CK_GCM_PARAMS& parameters, std::string& nonce) {
  parameters = {};
  parameters.pIv = reinterpret_cast<CK_BYTE_PTR>(nonce.data());
  parameters.ulIvLen = nonce.size();
  parameters.ulIvBits = nonce.size() * 8;
  parameters.ulTagBits = tag_size * 8;
  return {CKM_AES_GCM, &parameters, sizeof parameters};
}

}  // namespace

struct TokenModule::State {
  void* library = nullptr;
  CK_FUNCTION_LIST_PTR calls = nullptr;

  Result<CK_SLOT_ID> find(const std::string& token) const {
    CK_ULONG count = 0;
    if (const CK_RV code = calls->C_GetSlotList(CK_TRUE, nullptr, &count); code != CKR_OK) return failure(code, token);
    std::vector<CK_SLOT_ID> slots(count);
    if (const CK_RV code = calls->C_GetSlotList(CK_TRUE, slots.data(), &count); code != CKR_OK) return failure(code, token);
    slots.resize(count);
    for (const CK_SLOT_ID slot : slots) {
      CK_TOKEN_INFO info{};
      if (calls->C_GetTokenInfo(slot, &info) == CKR_OK && label_of(info) == token) return slot;
    }
    return failure(CKR_TOKEN_NOT_PRESENT, token);
  }
};

namespace {

// A session that is logged in, and closed with this object.
class Session {
 public:
  static Result<std::unique_ptr<Session>> open(CK_FUNCTION_LIST_PTR calls, CK_SLOT_ID slot, const std::string& token,
                                               std::string_view pin) {
    auto session = std::unique_ptr<Session>(new Session(calls, token));
    const CK_FLAGS flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
    if (const CK_RV code = calls->C_OpenSession(slot, flags, nullptr, nullptr, &session->handle_); code != CKR_OK)
      return failure(code, token);
    session->is_open_ = true;
    if (const CK_RV code = calls->C_Login(session->handle_, CKU_USER, bytes_of(pin), pin.size()); code != CKR_OK)
      return failure(code, token);
    session->is_logged_in_ = true;
    return session;
  }
  ~Session() {
    if (is_logged_in_) calls_->C_Logout(handle_);
    if (is_open_) calls_->C_CloseSession(handle_);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // not_found if the token has no such key.
  Result<CK_OBJECT_HANDLE> find_key() {
    CK_OBJECT_CLASS secret_key = CKO_SECRET_KEY;
    std::string label = key_label;
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &secret_key, sizeof secret_key}, {CKA_LABEL, label.data(), label.size()}};
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG count = 0;
    CK_RV code = calls_->C_FindObjectsInit(handle_, wanted, std::size(wanted));
    if (code == CKR_OK) code = calls_->C_FindObjects(handle_, &key, 1, &count);
    calls_->C_FindObjectsFinal(handle_);
    if (code != CKR_OK) return failure(code, token_);
    if (count == 0) return Error{ErrorKind::not_found, "token " + token_ + " has no key of Mailhold"};
    return key;
  }

  // A key that is made in the token and never leaves it.
  Result<CK_OBJECT_HANDLE> make_key() {
    CK_BBOOL yes = CK_TRUE;
    CK_BBOOL no = CK_FALSE;
    CK_ULONG size = 32;
    std::string label = key_label;
    CK_ATTRIBUTE wanted[] = {{CKA_TOKEN, &yes, sizeof yes},       {CKA_PRIVATE, &yes, sizeof yes},
                             {CKA_SENSITIVE, &yes, sizeof yes},   {CKA_EXTRACTABLE, &no, sizeof no},
                             {CKA_ENCRYPT, &yes, sizeof yes},     {CKA_DECRYPT, &yes, sizeof yes},
                             {CKA_VALUE_LEN, &size, sizeof size}, {CKA_LABEL, label.data(), label.size()}};
    CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
    CK_OBJECT_HANDLE key = 0;
    if (const CK_RV code = calls_->C_GenerateKey(handle_, &mechanism, wanted, std::size(wanted), &key); code != CKR_OK)
      return failure(code, token_);
    return key;
  }

  Result<std::string> encrypt(CK_OBJECT_HANDLE key, std::string nonce, std::string_view plain) {
    CK_GCM_PARAMS parameters;
    CK_MECHANISM mechanism = gcm(parameters, nonce);
    CK_RV code = calls_->C_EncryptInit(handle_, &mechanism, key);
    std::array<CK_BYTE, wrapped_bytes_max> out{};
    CK_ULONG size = out.size();
    if (code == CKR_OK) code = calls_->C_Encrypt(handle_, bytes_of(plain), plain.size(), out.data(), &size);
    if (code != CKR_OK) return failure(code, token_);
    return nonce.append(reinterpret_cast<const char*>(out.data()), size);
  }

  Result<SecretText> decrypt(CK_OBJECT_HANDLE key, std::string_view wrapped) {
    if (wrapped.size() < nonce_size + tag_size || wrapped.size() > wrapped_bytes_max)
      return Error{ErrorKind::corrupt, "what the token wrapped has another size"};
    std::string nonce(wrapped.substr(0, nonce_size));
    const std::string_view sealed = wrapped.substr(nonce_size);
    CK_GCM_PARAMS parameters;
    CK_MECHANISM mechanism = gcm(parameters, nonce);
    CK_RV code = calls_->C_DecryptInit(handle_, &mechanism, key);
    if (code != CKR_OK) return failure(code, token_);
    SecretText out = SecretText::zeroed(wrapped_bytes_max);
    CK_ULONG size = out.size();
    code = calls_->C_Decrypt(handle_, bytes_of(sealed), sealed.size(), reinterpret_cast<CK_BYTE_PTR>(out.data()), &size);
    // Modules differ in how they name a tag that does not fit.
    if (code == CKR_ENCRYPTED_DATA_INVALID || code == CKR_ENCRYPTED_DATA_LEN_RANGE || code == CKR_GENERAL_ERROR ||
        code == CKR_FUNCTION_FAILED)
      return Error{ErrorKind::corrupt, "token " + token_ + " did not wrap these bytes"};
    if (code != CKR_OK) return failure(code, token_);
    return SecretText::copy_of(out.reveal().substr(0, size));
  }

 private:
  Session(CK_FUNCTION_LIST_PTR calls, std::string token) : calls_(calls), token_(std::move(token)) {}
  CK_FUNCTION_LIST_PTR calls_;
  const std::string token_;
  CK_SESSION_HANDLE handle_ = 0;
  bool is_open_ = false;
  bool is_logged_in_ = false;
};

}  // namespace

TokenModule::TokenModule(std::unique_ptr<State> state) : state_(std::move(state)) {}

TokenModule::~TokenModule() {
  if (state_->calls != nullptr) state_->calls->C_Finalize(nullptr);
  ::dlclose(state_->library);
}

Result<std::unique_ptr<TokenModule>> TokenModule::load(const std::string& file) {
  void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return Error{ErrorKind::not_found, "the module for tokens cannot be loaded: " + std::string(::dlerror())};
  auto state = std::make_unique<State>();
  state->library = library;
  std::unique_ptr<TokenModule> module(new TokenModule(std::move(state)));
  const auto get_list = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
  CK_FUNCTION_LIST_PTR calls = nullptr;
  if (get_list == nullptr || get_list(&calls) != CKR_OK) return Error{ErrorKind::not_found, file + " is no PKCS #11 module"};
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  if (const CK_RV code = calls->C_Initialize(&arguments); code != CKR_OK)
    return Error{ErrorKind::unavailable, "the module for tokens does not start: code " + std::to_string(code)};
  module->state_->calls = calls;
  return module;
}

Result<std::string> TokenModule::wrap(const std::string& token, std::string_view pin, std::string_view key) {
  if (pin.empty() || pin.size() > pin_bytes_max) return Error{ErrorKind::denied, "wrong PIN for token " + token};
  ASSIGN_OR_RETURN(const CK_SLOT_ID slot, state_->find(token));
  ASSIGN_OR_RETURN(const auto session, Session::open(state_->calls, slot, token, pin));
  auto handle = session->find_key();
  if (!handle && handle.error().kind == ErrorKind::not_found) handle = session->make_key();
  if (!handle) return handle.error();
  return session->encrypt(*handle, random_bytes(nonce_size), key);
}

Result<SecretText> TokenModule::unwrap(const std::string& token, std::string_view pin, std::string_view wrapped) {
  if (pin.empty() || pin.size() > pin_bytes_max) return Error{ErrorKind::denied, "wrong PIN for token " + token};
  ASSIGN_OR_RETURN(const CK_SLOT_ID slot, state_->find(token));
  ASSIGN_OR_RETURN(const auto session, Session::open(state_->calls, slot, token, pin));
  ASSIGN_OR_RETURN(const CK_OBJECT_HANDLE key, session->find_key());
  return session->decrypt(key, wrapped);
}

}  // namespace mailhold::pkcs11
