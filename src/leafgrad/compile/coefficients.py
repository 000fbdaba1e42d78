"""Minimax polynomials, lowest coefficient first: written by tools/minimax.py."""

from __future__ import annotations

EXP_DOUBLE = (  # relative error 2**-60.2
    float.fromhex("0x1.0000000000000p-1"),
    float.fromhex("0x1.5555555555559p-3"),
    float.fromhex("0x1.555555555553ep-5"),
    float.fromhex("0x1.111111110f642p-7"),
    float.fromhex("0x1.6c16c16c1f335p-10"),
    float.fromhex("0x1.a01a01b017755p-13"),
    float.fromhex("0x1.a01a017b2b891p-16"),
    float.fromhex("0x1.71ddf7c345a8cp-19"),
    float.fromhex("0x1.27e536d1b1891p-22"),
    float.fromhex("0x1.af5fd879d49bbp-26"),
    float.fromhex("0x1.1ee87d70e01dfp-29"),
)

EXP_FLOAT = (  # relative error 2**-28.8
    float.fromhex("0x1.0000000000000p-1"),
    float.fromhex("0x1.5555540000000p-3"),
    float.fromhex("0x1.5554b00000000p-5"),
    float.fromhex("0x1.11118a0000000p-7"),
    float.fromhex("0x1.6d73e40000000p-10"),
    float.fromhex("0x1.a032f80000000p-13"),
)

LOG_DOUBLE = (  # relative error 2**-59.5
    float.fromhex("0x1.5555555555593p-1"),
    float.fromhex("0x1.999999997f9f5p-2"),
    float.fromhex("0x1.249249422a883p-2"),
    float.fromhex("0x1.c71c51d78b845p-3"),
    float.fromhex("0x1.746649bf66bfbp-3"),
    float.fromhex("0x1.39a093ce7fdc3p-3"),
    float.fromhex("0x1.2f1191d8cf35ep-3"),
)

LOG_FLOAT = (  # relative error 2**-30.2
    float.fromhex("0x1.55557a0000000p-1"),
    float.fromhex("0x1.995ecc0000000p-2"),
    float.fromhex("0x1.31e23e0000000p-2"),
)

LOG_MORE_DOUBLE = (  # relative error 2**-73.5
    float.fromhex("0x1.9999999999996p-2"),
    float.fromhex("0x1.2492492492f56p-2"),
    float.fromhex("0x1.c71c71c595946p-3"),
    float.fromhex("0x1.745d1829f047fp-3"),
    float.fromhex("0x1.3b136499bcff4p-3"),
    float.fromhex("0x1.11207715b50abp-3"),
    float.fromhex("0x1.de3c1736ea38ep-4"),
    float.fromhex("0x1.ead1a0119023fp-4"),
)

SIN_DOUBLE = (  # relative error 2**-58.0
    float.fromhex("-0x1.5555555555549p-3"),
    float.fromhex("0x1.111111110f8a4p-7"),
    float.fromhex("-0x1.a01a019c15aedp-13"),
    float.fromhex("0x1.71de357aa35dcp-19"),
    float.fromhex("-0x1.ae5e682f5f199p-26"),
    float.fromhex("0x1.5d937ff089c10p-33"),
)

SIN_FLOAT = (  # relative error 2**-28.0
    float.fromhex("-0x1.5555460000000p-3"),
    float.fromhex("0x1.11077c0000000p-7"),
    float.fromhex("-0x1.9955b60000000p-13"),
)

COS_DOUBLE = (  # relative error 2**-64.2
    float.fromhex("0x1.555555555554cp-5"),
    float.fromhex("-0x1.6c16c16c1521dp-10"),
    float.fromhex("0x1.a01a019cbf0ccp-16"),
    float.fromhex("-0x1.27e4f812644eap-22"),
    float.fromhex("0x1.1ee9f10f89f06p-29"),
    float.fromhex("-0x1.8fb1095862345p-37"),
)

COS_FLOAT = (  # relative error 2**-33.1
    float.fromhex("0x1.55554a0000000p-5"),
    float.fromhex("-0x1.6c0c1a0000000p-10"),
    float.fromhex("0x1.99e0ee0000000p-16"),
)

ATAN_DOUBLE = (  # relative error 2**-59.5
    float.fromhex("-0x1.555555555553dp-2"),
    float.fromhex("0x1.9999999995888p-3"),
    float.fromhex("-0x1.24924922ae4e6p-3"),
    float.fromhex("0x1.c71c70e66bf4ep-4"),
    float.fromhex("-0x1.745cf8e5b5bbbp-4"),
    float.fromhex("0x1.3b1119a588ad8p-4"),
    float.fromhex("-0x1.10ebbcf2cdeaap-4"),
    float.fromhex("0x1.df0f794f8b933p-5"),
    float.fromhex("-0x1.9cd32807fc99bp-5"),
    float.fromhex("0x1.37d5b516ffbaap-5"),
    float.fromhex("-0x1.2568548bb6218p-6"),
)

ATAN_FLOAT = (  # relative error 2**-30.5
    float.fromhex("-0x1.55554a0000000p-2"),
    float.fromhex("0x1.9991e40000000p-3"),
    float.fromhex("-0x1.23b9cc0000000p-3"),
    float.fromhex("0x1.b226500000000p-4"),
    float.fromhex("-0x1.f2ec020000000p-5"),
)

ASIN_DOUBLE = (  # relative error 2**-59.8
    float.fromhex("0x1.5555555555578p-3"),
    float.fromhex("0x1.333333332df17p-4"),
    float.fromhex("0x1.6db6db722b542p-5"),
    float.fromhex("0x1.f1c71a8ba35c2p-6"),
    float.fromhex("0x1.6e8bdfe5d7f05p-6"),
    float.fromhex("0x1.1c49de0ef43d8p-6"),
    float.fromhex("0x1.ca21430dec803p-7"),
    float.fromhex("0x1.757797239cd27p-7"),
    float.fromhex("0x1.618a832c9760ap-7"),
    float.fromhex("0x1.e15e7faeba707p-9"),
    float.fromhex("0x1.650106e69179fp-6"),
    float.fromhex("-0x1.59f5231a7b02dp-6"),
    float.fromhex("0x1.0be3f8ba3e1f2p-5"),
)

ASIN_FLOAT = (  # relative error 2**-31.7
    float.fromhex("0x1.55554c0000000p-3"),
    float.fromhex("0x1.3338aa0000000p-4"),
    float.fromhex("0x1.6ca7dc0000000p-5"),
    float.fromhex("0x1.04cd0a0000000p-5"),
    float.fromhex("0x1.d58a560000000p-7"),
    float.fromhex("0x1.349dfe0000000p-5"),
)

ERF_DOUBLE = (  # relative error 2**-56.0
    float.fromhex("0x1.06eba8214db68p-3"),
    float.fromhex("-0x1.812746b03794bp-2"),
    float.fromhex("0x1.ce2f21a034a33p-4"),
    float.fromhex("-0x1.b82ce30aa88b5p-6"),
    float.fromhex("0x1.565bcada0e1c4p-8"),
    float.fromhex("-0x1.c02d0262a1d08p-11"),
    float.fromhex("0x1.f982469c00b9ep-14"),
    float.fromhex("-0x1.f143b452a2abbp-17"),
    float.fromhex("0x1.8444cc4a675a0p-20"),
)

ERF_FLOAT = (  # relative error 2**-29.1
    float.fromhex("0x1.06eba80000000p-3"),
    float.fromhex("-0x1.8127320000000p-2"),
    float.fromhex("0x1.ce24640000000p-4"),
    float.fromhex("-0x1.b64d080000000p-6"),
    float.fromhex("0x1.344ae00000000p-8"),
)

ERFCX_DOUBLE = (  # relative error 2**-54.5
    float.fromhex("0x1.eb4b8f02d35aep-3"),
    float.fromhex("-0x1.1f3abf6d07286p-3"),
    float.fromhex("-0x1.9f1778ec26361p-9"),
    float.fromhex("0x1.6fbcd71b71227p-4"),
    float.fromhex("-0x1.cb8028489118ep-4"),
    float.fromhex("0x1.72df821018710p-4"),
    float.fromhex("-0x1.ba9e3e60e66cap-5"),
    float.fromhex("0x1.850f4144421f4p-6"),
    float.fromhex("-0x1.bf7feb9045695p-8"),
    float.fromhex("0x1.280c8f0a0f50dp-11"),
    float.fromhex("0x1.0de75be5523bbp-11"),
    float.fromhex("-0x1.d50a57f4ca531p-13"),
    float.fromhex("-0x1.87a5345bdefd5p-19"),
    float.fromhex("0x1.e8dc53059d074p-16"),
    float.fromhex("-0x1.4b9512d9dea4fp-18"),
    float.fromhex("-0x1.c3045f56ae515p-19"),
    float.fromhex("0x1.2627101aa503bp-20"),
    float.fromhex("0x1.bc644522a47f0p-22"),
    float.fromhex("-0x1.8407b27b2728bp-23"),
    float.fromhex("-0x1.d9bb2407fe5c8p-25"),
    float.fromhex("0x1.561a822efb5b5p-26"),
    float.fromhex("0x1.8545136daf308p-28"),
)

ERFCX_FLOAT = (  # relative error 2**-26.6
    float.fromhex("0x1.157bc20000000p-2"),
    float.fromhex("-0x1.c39b660000000p-4"),
    float.fromhex("-0x1.0bd6740000000p-3"),
    float.fromhex("0x1.52721e0000000p-3"),
    float.fromhex("-0x1.5481e60000000p-4"),
    float.fromhex("0x1.76c4da0000000p-7"),
    float.fromhex("0x1.08f57e0000000p-7"),
    float.fromhex("-0x1.546d220000000p-9"),
    float.fromhex("-0x1.2af3700000000p-10"),
    float.fromhex("0x1.7934100000000p-12"),
    float.fromhex("0x1.7f85c40000000p-13"),
)

SINH_DOUBLE = (  # relative error 2**-61.7
    float.fromhex("0x1.5555555555556p-3"),
    float.fromhex("0x1.1111111111020p-7"),
    float.fromhex("0x1.a01a01a036c6cp-13"),
    float.fromhex("0x1.71de3a3b6a048p-19"),
    float.fromhex("0x1.ae646f9854e0ep-26"),
    float.fromhex("0x1.61171c8ec161bp-33"),
    float.fromhex("0x1.b5bbb2dc8bb22p-41"),
)

SINH_FLOAT = (  # relative error 2**-31.5
    float.fromhex("0x1.5555560000000p-3"),
    float.fromhex("0x1.1110e20000000p-7"),
    float.fromhex("0x1.a021520000000p-13"),
    float.fromhex("0x1.75a83e0000000p-19"),
)

LN2_DOUBLE = (
    float.fromhex("0x1.62e42ff000000p-1"),
    float.fromhex("-0x1.718432a1b0e26p-35"),
)

INV_LN2_DOUBLE = (
    float.fromhex("0x1.7154700000000p+0"),
    float.fromhex("0x1.94ae0bf85ddf4p-22"),
)

INV_LN10_DOUBLE = (
    float.fromhex("0x1.bcb7b00000000p-2"),
    float.fromhex("0x1.526e50e32a6abp-26"),
)

LOG10_2_DOUBLE = (
    float.fromhex("0x1.3441350a00000p-2"),
    float.fromhex("-0x1.0c0219dc1da99p-39"),
)

GELU_TANH_A_DOUBLE = (
    float.fromhex("0x1.9884533d43651p+0"),
    float.fromhex("-0x1.cbc0d30ebfd15p-54"),
)

GELU_TANH_B_DOUBLE = (
    float.fromhex("0x1.2444f2a4d8b4bp-4"),
    float.fromhex("-0x1.6c843a29d1c70p-61"),
)

ROOT_HALF_DOUBLE = (
    float.fromhex("0x1.6a09e667f3bcdp-1"),
    float.fromhex("-0x1.bdd3413b26456p-55"),
)

HALF_PI_DOUBLE = (
    float.fromhex("0x1.921fb54442d18p+0"),
    float.fromhex("0x1.1a62633145c07p-54"),
    float.fromhex("-0x1.f1976b7ed9000p-110"),
)

LN2_FLOAT = (
    float.fromhex("0x1.62e8000000000p-1"),
    float.fromhex("-0x1.e8082e0000000p-16"),
)

INV_LN2_FLOAT = (
    float.fromhex("0x1.7180000000000p+0"),
    float.fromhex("-0x1.5c4d6a0000000p-11"),
)

INV_LN10_FLOAT = (
    float.fromhex("0x1.bc80000000000p-2"),
    float.fromhex("0x1.bd8a940000000p-13"),
)

LOG10_2_FLOAT = (
    float.fromhex("0x1.3440000000000p-2"),
    float.fromhex("0x1.3509f80000000p-18"),
)

GELU_TANH_A_FLOAT = (
    float.fromhex("0x1.9884540000000p+0"),
    float.fromhex("-0x1.8579360000000p-25"),
)

GELU_TANH_B_FLOAT = (
    float.fromhex("0x1.2444f20000000p-4"),
    float.fromhex("0x1.49b16a0000000p-29"),
)

ROOT_HALF_FLOAT = (
    float.fromhex("0x1.6a09e60000000p-1"),
    float.fromhex("0x1.9fcef40000000p-27"),
)

HALF_PI_FLOAT = (
    float.fromhex("0x1.921fb60000000p+0"),
    float.fromhex("-0x1.777a5c0000000p-25"),
    float.fromhex("-0x1.ee59da0000000p-50"),
)

HALF_PI_DOUBLE_SHORT = (
    float.fromhex("0x1.921fb54000000p+0"),
    float.fromhex("0x1.10b4610000000p-30"),
    float.fromhex("0x1.a626330000000p-58"),
    float.fromhex("0x1.45c06e0e68948p-86"),
)

HALF_PI_FLOAT_SHORT = (
    float.fromhex("0x1.9220000000000p+0"),
    float.fromhex("-0x1.2ae0000000000p-18"),
    float.fromhex("-0x1.dea0000000000p-31"),
    float.fromhex("0x1.1846980000000p-44"),
)

ERFCX_CENTRE_DOUBLE = (float.fromhex("0x1.d000000000000p+1"),)

ERFCX_CENTRE_FLOAT = (float.fromhex("0x1.2000000000000p+1"),)

# floor(2**1280 * 2 / pi)
TWO_OVER_PI = int(
    "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e0"
    "06492eea09d1921cfe1deb1cb129a73ee88235f52ebb4484e99c7026b45f7e413991d639835339f4"
    "9c845f8bbdf9283b1ff897ffde05980fef2f118b5a0a6d1f6d367ecf27cb09b74f463f669e5fea2d"
    "7527bac7ebe5f17b3d0739f78a5292ea6bfb5fb11f8d5d0856033046fc7b6babf0cfbc209af4361d"
    , 16,
)  # fmt: skip
