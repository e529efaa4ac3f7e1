/* Prints what the library finds in itself, and fails if anything of its catalogue is missing. */
#include <stddef.h>
#include <stdio.h>

size_t fsc_count_services(void);
size_t fsc_count_protocols(void);
size_t fsc_catalogued_services(void);
size_t fsc_catalogued_protocols(void);

int main(void) {
    size_t services = fsc_count_services(), all_services = fsc_catalogued_services();
    size_t protocols = fsc_count_protocols(), all_protocols = fsc_catalogued_protocols();
    printf("%zu of %zu services, %zu of %zu protocols\n", services, all_services, protocols, all_protocols);
    return services == all_services && protocols == all_protocols ? 0 : 1;
}
