#include <libpsl.h>

#include "base/text.h"
#include "formats/dmarc/dmarc.h"

namespace mailhold::dmarc {

void PublicSuffixes::Closer::operator()(const psl_ctx_st* list) const { psl_free(const_cast<psl_ctx_st*>(list)); }

Result<PublicSuffixes> PublicSuffixes::load(const std::string& path) {
  psl_ctx_t* list = psl_load_file(path.c_str());
  if (list == nullptr) return Error{.kind = ErrorKind::not_found, .detail = "cannot read public suffix list " + path};
  PublicSuffixes suffixes(std::shared_ptr<const psl_ctx_st>(list, Closer()));
  // A file of another kind loads as an empty list, under which every domain would be its own organization's neighbour.
  if (!suffixes.is_public_suffix("co.uk")) return Error{.kind = ErrorKind::corrupt, .detail = "no public suffix list in " + path};
  return suffixes;
}

Result<PublicSuffixes> PublicSuffixes::built_in() {
  const psl_ctx_t* list = psl_builtin();
  if (list == nullptr) return Error{.kind = ErrorKind::not_found, .detail = "libpsl was built without a public suffix list"};
  return PublicSuffixes(std::shared_ptr<const psl_ctx_st>(list, [](const psl_ctx_st*) {}));
}

std::string PublicSuffixes::organizational_domain(std::string_view domain) const {
  const std::string name = to_lower(domain);
  const char* registrable = psl_registrable_domain(list_.get(), name.c_str());
  return registrable == nullptr ? name : std::string(registrable);
}

bool PublicSuffixes::is_public_suffix(std::string_view domain) const {
  return psl_is_public_suffix(list_.get(), to_lower(domain).c_str()) != 0;
}

}  // namespace mailhold::dmarc
