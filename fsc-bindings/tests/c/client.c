/* The library that was built as a client only has what a client needs, and says so of the rest. */
#define FSC_CLIENT_ONLY
#include <stdio.h>
#include <string.h>

#include "fsc.h"

int main(void) {
    fsc_client client;
    fsc_error error;
    fsc_value list;
    int refused;
    if (fsc_abi_version() != FSC_ABI_VERSION) return 1;
    if (fsc_client_connect("serial:/dev/ttyS0", NULL, &client, &error) != FSC_STATUS_UNSUPPORTED) return 2;
    fsc_error_free(error);
    /* Nobody listens at the port of "discard". */
    if (fsc_client_connect("http://127.0.0.1:9", NULL, &client, &error) != FSC_STATUS_OK) return 3;
    refused = fsc_client_list(client, NULL, &list, &error) == FSC_STATUS_UNREACHABLE;
    refused = refused && strstr(fsc_error_message(error), "127.0.0.1:9") != NULL;
    fsc_error_free(error);
    fsc_client_free(client);
    if (fsc_shutdown(NULL) != FSC_STATUS_OK || fsc_handles() != 0) return 4;
    puts(refused ? "ok" : "somebody listens there");
    return refused ? 0 : 5;
}
