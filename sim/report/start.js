/* SPDX-License-Identifier: MIT */
/* Builds the page that the data ask for. */
startTheme();
startPrinting();
if (data.page === 'walk') {
    addWalkPage();
} else {
    addReport();
}
document.getElementById('footer').append(`Written by hvsim ${data.hvsim.version} (${data.hvsim.commit}).`);
