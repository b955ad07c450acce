// Rows of tenants as they come from the database, and requests of the command line: an input that begins with "{" is a request
// to a book with one tenant, any other is the opened row of one.
#include <cstdint>
#include <cstdlib>

#include "base/bytes.h"
#include "features/tenants/tenant_verbs.h"
#include "formats/sealed/sealed.h"
#include "fuzz_seeds.h"

using namespace mailhold;

namespace {

const Id tenant = Id::from_bytes("tenant--tenant--");
const std::string key(32, 'k');

Deadline soon() { return Deadline::after(std::chrono::seconds(10)); }

// Holds one row, sealed as the book seals it, and keeps what is written last.
class OneRow final : public records::Records {
 public:
  explicit OneRow(std::string_view row) {
    sealed::Context context;
    context.region = "eu";
    context.tenant = context.key_id = tenant;
    context.kind = sealed::Kind::configuration;
    context.object_id = std::string(tenant.bytes());
    context.version = context.key_version = 1;
    context.extra = "tenant";
    sealed_ = sealed::seal(key, context, row);
  }
  Result<std::uint64_t> execute(std::string_view, const records::Values&, const Deadline&) override { return 1; }
  Result<std::uint64_t> execute_batch(std::string_view, const std::vector<records::Values>& rows, const Deadline&) override {
    return rows.size();
  }
  Result<records::Rows> query(std::string_view sql, const records::Values&, const Deadline&) override {
    if (sql.find("FROM tenant") == std::string_view::npos) return records::Rows();
    return records::Rows{{records::Value::bytes_of(tenant.bytes()), 1, records::Value::bytes_of(sealed_)}};
  }
  Status transaction(const Work& work, const Deadline&) override { return work(*this); }
  Status forget_deleted(const Deadline&) override { return done(); }

 private:
  Status run_script(Session&, std::string_view, const Deadline&) override { return done(); }
  std::string sealed_;
};

std::string row_of_one() {
  gateway::Tenant one;
  one.id = tenant;
  one.name = "one";
  one.policy.blocked_types = {"exe"};
  one.domains = {{"one.test", false, {"ann", "bob"}}};
  ByteWriter writer;
  writer.text(gateway::write_directory({1, 0, {one}})).u32(1).text("*.good.example").u32(1).text("bad.example");
  return writer.take();
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  return {row_of_one(),
          R"({"verb":"tenant.set","tenant":"one","name":"blocked_types","value":"exe, js"})",
          R"({"verb":"domain.add","tenant":"one","domain":"Two.test","any_recipient":false,"recipients":["ann@two.test","b"]})",
          R"({"verb":"domain.remove-recipients","tenant":"one","domain":"one.test","recipients":["ann@one.test"]})",
          R"({"verb":"link.allow","tenant":"one","rule":"*.x.example"})",
          R"({"verb":"domain.add","tenant":"one","domain":"x.y","any_recipient":7,"recipients":[null,[],{"a":true}]})",
          R"({"verb":"tenant.list"})"};
}

std::vector<std::string> fuzz_words() { return {"{", "}", "[", "]", "\"", ":", ",", "null", "true", "0", "@", "."}; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string row = row_of_one();
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const bool is_request = input.starts_with('{');
  OneRow records(is_request ? std::string_view(row) : input);
  ManualClock clock{1'800'000'000'000};
  const auto key_of = [](Id, const Deadline&) { return Result<keys::PurposeKey>({1, SecretText::copy_of(key)}); };
  const auto create = [](Id, const Deadline&) { return done(); };
  const auto book = tenants::TenantBook::open(records, key_of, create, "eu", clock, soon());
  if (!book) std::abort();
  tenants::TenantVerbs verbs(**book, [](Id, const std::string&, const Deadline&) { return done(); });
  if (is_request) {
    static_cast<void>(verbs.answer(input, soon()));
    const auto entries = (*book)->list(soon());
    // Whatever was asked: the tenant is still there, and the directory of all is sound.
    if (!entries || entries->empty() || !gateway::Directory::build(*(*book)->directory(soon()))) std::abort();
    return 0;
  }
  const auto entries = (*book)->list(soon());
  if (!entries || entries->size() > 1) std::abort();
  static_cast<void>(verbs.answer(R"({"verb":"tenant.list"})", soon()));
  return 0;
}
