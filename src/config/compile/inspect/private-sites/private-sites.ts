// Names with all below them. What belongs here and what does not: README.md beside this file.

/** Endings that only such sites have: registries check who asks for a name there. */
const endings = [
  "bank",
  "creditunion",
  "insurance",
  "pharmacy",
  "gov",
  "mil",
  "gov.uk",
  "nhs.uk",
  "police.uk",
  "mod.uk",
  "gob.mx",
  "gob.es",
  "gob.ar",
]

const governments = [
  ...[
    "gov.au",
    "gov.br",
    "gov.cn",
    "gov.ie",
    "gov.il",
    "gov.in",
    "gov.it",
    "gov.pl",
    "gov.pt",
    "gov.sg",
    "gov.tr",
    "gov.za",
    "govt.nz",
    "go.jp",
    "go.kr",
  ],
  ...["gc.ca", "canada.ca", "gouv.fr", "bund.de", "elster.de", "admin.ch", "gv.at", "overheid.nl", "belgium.be", "europa.eu", "service-public.fr"],
]

const payment = [
  ...["paypal.com", "paypalobjects.com", "stripe.com", "adyen.com", "klarna.com", "wise.com", "revolut.com", "n26.com", "americanexpress.com"],
  ...["visa.com", "mastercard.com", "worldpay.com", "squareup.com", "coinbase.com", "kraken.com"],
]

const banks = [
  ...["chase.com", "bankofamerica.com", "wellsfargo.com", "citi.com", "citibank.com", "capitalone.com", "usbank.com", "schwab.com", "fidelity.com"],
  ...["vanguard.com", "barclays.co.uk", "hsbc.com", "hsbc.co.uk", "lloydsbank.com", "natwest.com", "santander.com", "bbva.com", "ing.com", "ing.de"],
  ...["deutsche-bank.de", "commerzbank.de", "sparkasse.de", "dkb.de", "bnpparibas.com", "societegenerale.fr", "credit-agricole.fr", "ubs.com"],
  ...["rabobank.nl", "abnamro.nl", "nordea.com", "danskebank.dk", "rbc.com", "td.com", "scotiabank.com", "commbank.com.au", "westpac.com.au"],
]

const health = [
  ...["mychart.com", "mychart.org", "epic.com", "kaiserpermanente.org", "mayoclinic.org", "clevelandclinic.org", "doctolib.de", "doctolib.fr"],
  ...["gematik.de", "ameli.fr", "healthcare.gov", "medicare.gov", "teladoc.com", "zocdoc.com", "plannedparenthood.org", "cigna.com", "aetna.com"],
]

/** Sites of banks, payment, health and government. */
export const privateSites: readonly string[] = [...endings, ...governments, ...payment, ...banks, ...health]
