#include "features/scanning/comparison.h"

#include "formats/ical/calendar_meaning.h"
#include "formats/vcard/card_meaning.h"

namespace mailhold::scanning {

Comparison compare_contents(const CompareRequest& request) {
  const auto found = request.form == ComparedForm::vcard ? vcard::difference_of(request.backed_up, request.there)
                                                         : ical::difference_of(request.backed_up, request.there);
  Comparison comparison;
  comparison.is_readable = bool(found);
  comparison.is_equal = found && found->is_none;
  if (found) comparison.differences = found->names;
  return comparison;
}

}  // namespace mailhold::scanning
